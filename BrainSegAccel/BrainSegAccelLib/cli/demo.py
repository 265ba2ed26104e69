"""``brainsegaccel demo``: the main job on the case that ships, with a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Asked, takes_options

if TYPE_CHECKING:
    from .services import Services


@takes_options(only=["model", "engine"])
def demo(
    context: typer.Context,
    asked: Asked,
    output: Annotated[
        Path, typer.Option(help="Folder for the results; made if it is not there.")
    ] = Path("brainsegaccel-demo"),
) -> None:
    """Run the main job on the synthetic case that ships.

    Prints a summary and how well the result agrees with the truth. Leaves
    segmentation.seg.nrrd, segmentation.manifest.json and segmentation.png.
    """
    from rich.console import Console

    from ..evaluation.report import scores_by_region
    from ..io.discover import discover
    from ..io.read_labels import read_labels
    from ..reporting.picture import draw_result
    from ..resources import resource
    from ..runs.execute import execute
    from ..runs.files import FileInputs, FileOutput, manifest_beside
    from .folder import ready_folder
    from .progress import clock_on_stderr
    from .scores import scores_table
    from .summary import print_summary

    services: Services = context.obj
    case_dir = resource("SampleData", "phantom")
    with ready_folder(output), clock_on_stderr(services) as clock:
        inputs = FileInputs(discover(case_dir))
        segmentation = output / "segmentation.seg.nrrd"
        place = FileOutput(segmentation, manifest_beside(segmentation), inputs)
        result, manifest = execute(
            inputs, asked.options, place, make_pipeline=services.make_pipeline, clock=clock
        )
        picture = output / "segmentation.png"
        with clock.stage("draw"):
            draw_result(inputs.study(), result.segmentation, picture)
    print_summary(manifest, place)
    print(f"{'picture':<13} {picture}\n\nAgainst the truth of this synthetic case:")
    found = result.segmentation
    truth = read_labels(case_dir / "seg.nii.gz", found.scheme)
    Console(highlight=False).print(scores_table(scores_by_region(found, truth), found.scheme))
