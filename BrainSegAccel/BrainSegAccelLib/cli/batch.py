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
    from ..runs.options import RunOptions
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
    from ..batch.task import Status
    from ..errors import InputError, RunError

    services: Services = context.obj
    if scheduler is not None and workers > 1:
        raise InputError(
            "--workers and --scheduler are two different things",
            remedy="the scheduler has workers of its own",
        )
    if scheduler is None:  # Refuse what this machine cannot run once, not with every case.
        services.make_pipeline(asked.options.model, asked.options.engine)
    tasks = _tasks(root, output, suffix, asked.options)
    outcomes, page = _run_all(
        tasks, output, _run(tasks, services.make_pipeline, workers, scheduler)
    )
    failed = sum(outcome.status is Status.FAILED for outcome in outcomes)
    if failed:
        raise RunError(
            f"{failed} of {len(tasks)} cases failed",
            where=str(page),
            remedy="it says why; the same command runs them again",
        )


def _tasks(root: Path, output: Path, suffix: str, options: RunOptions) -> list[Task]:
    """Return what is to be done, with names that any worker finds, wherever it was started.

    :raises InputError: no case; results of no format.
    """
    from ..batch.cases import find_cases
    from ..batch.task import Task
    from ..io.write import suffix_of
    from ..models.package import shipped_models

    suffix_of(Path(f"case{suffix}"))
    if options.model not in shipped_models():
        options = options.model_copy(update={"model": str(Path(options.model).resolve())})
    return [
        Task(case.name, case.folder.resolve(), output.resolve() / f"{case.name}{suffix}", options)
        for case in find_cases(root, output)
    ]


def _run_all(
    tasks: Sequence[Task], output: Path, running: Generator[Outcome]
) -> tuple[list[Outcome], Path]:
    """Run the cases, keep the tables up to date, and print what became of the cases.

    :returns: the outcomes, and the page that tells them.
    """
    from ..batch.table import CSV, MARKDOWN, write_tables
    from ..batch.task import Status
    from .folder import ready_folder
    from .time_left import work_on_stderr

    outcomes: dict[str, Outcome] = {}
    with ready_folder(output), work_on_stderr() as work, closing(running):
        write_tables(tasks, outcomes, output)
        work.begin(f"{len(tasks)} cases")
        for outcome in running:
            outcomes[outcome.case] = outcome
            write_tables(tasks, outcomes, output)
            work.advance(len(outcomes) / len(tasks))
            work.begin(f"{outcome.case} {outcome.status}, {len(outcomes)} of {len(tasks)} cases")
    for status in Status:
        count = sum(outcome.status is status for outcome in outcomes.values())
        if count:
            print(f"{status:<13} {count} of {len(tasks)} cases")
    print(f"{'table':<13} {output / MARKDOWN}\n{'':<13} {output / CSV}")
    return list(outcomes.values()), output / MARKDOWN


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
