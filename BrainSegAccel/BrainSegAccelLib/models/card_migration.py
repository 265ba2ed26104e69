"""Model cards of schema 1.0, which left most of what a model is unsaid."""

from __future__ import annotations

from typing import Any

from .tasks import TUMOUR


def migrated(document: Any) -> Any:
    """Return a card of schema 1.0 as one of 2.0; anything else is returned as it is.

    Every model with such a card is a hybrid that finds tumours in voxels of 1 mm.
    """
    if not isinstance(document, dict) or document.get("schema_version") != "1.0":
        return document
    said = {key: value for key, value in document.items() if key not in ("shape", "network")}
    if "shape" in document:
        said["inference"] = {"window": document["shape"]}
    if isinstance(network := document.get("network"), dict):
        said["network"] = {"kind": "hybrid", **network}
    return {
        **said,
        "schema_version": "2.0",
        "task": TUMOUR.name,
        "inputs": TUMOUR.inputs.model_dump(mode="json"),
        "outputs": TUMOUR.outputs.model_dump(mode="json"),
    }
