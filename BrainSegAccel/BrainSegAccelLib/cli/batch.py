"""``brainsegaccel batch``: every case of a folder, on one machine or many."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Asked, takes_options

if TYPE_CHECKING:
    from ..batch.task import Outcome, Task
    from ..runs.runner import PipelineFactory
    from .services import Services


@takes_options(files=False)
def batch(
    context: typer.Context,
    asked: Asked,
    root: Annotated[
        Path, typer.Argument(help="BIDS data set, or folder with a folder for each case.")
    ],
    output: Annotated[
        Path, typer.Option(help="Folder for results and tables; made if it is not there.")
    ],
    suffix: Annotated[
        str, typer.Option("--format", help=".seg.nrrd, .nii.gz, .nrrd or .dcm.")
    ] = ".seg.nrrd",
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes on this machine.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let the workers of this Dask scheduler run the cases. Needs the dask extra.",
        ),
    ] = None,
) -> None:
    """Segment every case of a folder: images or DICOM series, a folder for each case, or BIDS.

    Leaves CASE and its manifest for each case, batch.csv and batch.md. Run again, it goes on:
    what is finished and was made from the same files with the same model and options is kept. A
    case that fails is recorded, and the rest goes on.
    """
    from ..batch.cases import find_cases
    from ..batch.table import CSV, MARKDOWN, write_tables
    from ..batch.task import Status, Task
    from ..errors import InputError, RunError
    from ..io.write import suffix_of
    from ..models.package import shipped_models
    from .folder import ready_folder
    from .time_left import work_on_stderr

    services: Services = context.obj
    if scheduler is not None and workers > 1:
        raise InputError(
            "--workers and --scheduler are two different things",
            remedy="the scheduler has workers of its own",
        )

    options = asked.options
    if scheduler is None:  # Refuse what this machine cannot run once, not with every case.
        services.make_pipeline(options.model, options.engine)
    if options.model not in shipped_models():  # Any worker must find it, wherever it was started.
        options = options.model_copy(update={"model": str(Path(options.model).resolve())})
    suffix_of(Path(f"case{suffix}"))
    tasks = [
        Task(case.name, case.folder.resolve(), output.resolve() / f"{case.name}{suffix}", options)
        for case in find_cases(root, output)
    ]
    outcomes: dict[str, Outcome] = {}
    with ready_folder(output), work_on_stderr() as work:
        write_tables(tasks, outcomes, output)
        work.begin(f"{len(tasks)} cases")
        with closing(_run(tasks, services.make_pipeline, workers, scheduler)) as running:
            for outcome in running:
                outcomes[outcome.case] = outcome
                write_tables(tasks, outcomes, output)
                work.advance(len(outcomes) / len(tasks))
                work.begin(
                    f"{outcome.case} {outcome.status}, {len(outcomes)} of {len(tasks)} cases"
                )
    for status in Status:
        count = sum(outcome.status is status for outcome in outcomes.values())
        if count:
            print(f"{status:<13} {count} of {len(tasks)} cases")
    print(f"{'table':<13} {output / MARKDOWN}\n{'':<13} {output / CSV}")
    failed = [outcome for outcome in outcomes.values() if outcome.status is Status.FAILED]
    if failed:
        raise RunError(
            f"{len(failed)} of {len(tasks)} cases failed",
            where=str(output / MARKDOWN),
            remedy="it says why; the same command runs them again",
        )


def _run(
    tasks: Sequence[Task], make_pipeline: PipelineFactory, workers: int, scheduler: str | None
) -> Generator[Outcome]:
    from ..batch.processes import run_in_processes, run_in_this_process
    from .extras import needs

    if scheduler is not None:
        with needs("dask"):
            from ..batch.cluster import run_on_cluster

            yield from run_on_cluster(tasks, make_pipeline, scheduler)
    elif workers > 1:
        yield from run_in_processes(tasks, make_pipeline, workers)
    else:
        yield from run_in_this_process(tasks, make_pipeline)
