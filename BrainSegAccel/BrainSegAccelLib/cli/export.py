"""``brainsegaccel export``: the ONNX export of a model, made from its weights."""

from __future__ import annotations

from ..resources import DEFAULT_MODEL
from .options import ModelOption


def export(model: ModelOption = DEFAULT_MODEL) -> None:
    """Make a model's ONNX export. Needs the onnx extra.

    The export is made from the weights and noted in the model card.
    """
    from ..network.package import load_package
    from .extras import needs

    package = load_package(model)
    with needs("onnx"):
        from ..network.export import export_onnx
    path, card = export_onnx(package)
    assert card.onnx is not None
    print(f"{path}\nsha256 {card.onnx.sha256}")
