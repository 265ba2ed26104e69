"""``brainsegaccel export``: the ONNX export of a model, made from its weights."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    model: Annotated[
        str | None,
        typer.Option(help="Name of a shipped model (default: the main one) or a .card.json file."),
    ] = None,
) -> None:
    """Make a model's ONNX export. Needs the onnx extra.

    The export is made from the weights and noted in the model card.
    """
    from ..network.package import DEFAULT_MODEL, load_package
    from .extras import needs

    package = load_package(model or DEFAULT_MODEL)
    with needs("onnx"):
        from ..network.export import export_onnx
    path, card = export_onnx(package)
    assert card.onnx is not None
    print(f"{path}\nsha256 {card.onnx.sha256}")
