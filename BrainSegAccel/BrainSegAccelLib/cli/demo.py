"""``brainsegaccel demo``: the main job on the case that ships, with a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..resources import DEFAULT_MODEL
from .options import ModelOption

if TYPE_CHECKING:
    from .services import Services


def demo(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option(help="Folder for the results; made if it is not there.")
    ] = Path("brainsegaccel-demo"),
    model: ModelOption = DEFAULT_MODEL,
) -> None:
    """Run the main job on the synthetic case that ships.

    Prints a summary and how well the result agrees with the truth. Leaves
    segmentation.seg.nrrd, segmentation.manifest.json and segmentation.png.
    """
    from rich.console import Console

    from ..evaluation.pair import evaluate
    from ..io.discover import discover
    from ..io.read_labels import read_labels
    from ..manifest.model import PROCESS_START
    from ..reporting.picture import draw_result
    from ..resources import resource
    from ..runs.job import Job, run_job
    from ..runs.progress import StageClock
    from .folder import ready_folder
    from .progress import progress_on_stderr
    from .summary import print_summary

    services: Services = context.obj
    case_dir = resource("SampleData", "phantom")
    with ready_folder(output), progress_on_stderr() as progress:
        clock = StageClock(progress)
        if services.since_start:
            clock.add(PROCESS_START, services.since_start())
        job = Job(
            inputs=discover(case_dir),
            output=output / "segmentation.seg.nrrd",
            manifest=output / "segmentation.manifest.json",
            model=model,
        )
        done = run_job(job, services.make_pipeline, clock)
        picture = output / "segmentation.png"
        with clock.stage("draw"):
            draw_result(done.study, done.result.segmentation, picture)
    print_summary(done, job)
    print(f"{'picture':<13} {picture}\n\nAgainst the truth of this synthetic case:")
    found = done.result.segmentation
    truth = read_labels(case_dir / "seg.nii.gz", found.scheme)
    Console(highlight=False).print(evaluate(found, truth).as_table())
