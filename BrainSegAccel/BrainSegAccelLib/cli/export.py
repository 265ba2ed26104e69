"""``brainsegaccel export``: the ONNX exports of a model, made from its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Asked, takes_options

if TYPE_CHECKING:
    from ..models.calibration import Calibration
    from ..models.card import OnnxRecord
    from ..models.package import ModelPackage


@takes_options(only=["model"])
def export(
    asked: Asked,
    int8: Annotated[
        bool, typer.Option("--int8", help="Make the INT8 export, from the one there is.")
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Cases to find the INT8 scales on (default: synthetic cases)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first synthetic case.")] = 1000,
    count: Annotated[int, typer.Option(min=1, help="Number of synthetic cases.")] = 6,
    largest_loss: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Of mean Dice with FP32 on these cases; beyond it, convolutions stay in FP32.",
        ),
    ] = 0.01,
) -> None:
    """Make a model's ONNX export; with --int8, the one with INT8 convolutions.

    Needs the onnx extra, and for --int8 the int8 extra (and train, for synthetic cases). The
    export is written beside the weights and noted in the model card, with its calibration.
    """
    from ..models.package import load_package
    from .extras import needs

    package = load_package(asked.options.model)
    record: OnnxRecord | None
    if int8:
        package.require_task("tumour")
        with needs("int8"):
            from ..backends.openvino import run_export
            from ..models.quantise import export_quantised
        cases = _calibration(package, calibration, seed, count)
        path, card = export_quantised(package, cases, run_export, largest_loss)
        record = card.quantised
    else:
        with needs("onnx"):
            from ..models.export import export_onnx
        path, card = export_onnx(package)
        record = card.onnx
    assert record is not None
    print(f"{path}\nsha256 {record.sha256}")


def _calibration(package: ModelPackage, folder: Path | None, seed: int, count: int) -> Calibration:
    from ..inference.calibration import calibrate_on_cases, calibrate_on_phantoms

    if folder is not None:
        from ..io.labelled import case_folders

        return calibrate_on_cases(case_folders(folder), package.card)
    from .extras import needs
    from .phantom import write_case

    with needs("train"):
        from ..synthesis.cases import CaseGenerator, Stripping
    generator = CaseGenerator()

    def write_phantom(each: int, place: Path) -> None:
        write_case(generator.generate(each, stripping=Stripping.CLEAN), place)

    return calibrate_on_phantoms(seed, count, write_phantom, package.card)
