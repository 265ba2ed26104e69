"""One case of a batch, as any process runs it: found, kept if it is finished, else segmented."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock

from ..errors import explain
from ..io.source import find_sources, open_source
from ..runs.job import Job, run_job
from ..runs.progress import StageClock
from ..runs.runner import PipelineFactory
from .finished import is_finished


class Status(StrEnum):
    """What became of a case."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Task:
    """One case to run.

    :param case: its name.
    :param folder: where its images lie.
    :param job: what to run and where results go; its inputs are found when the task is run.
    """

    case: str
    folder: Path
    job: Job


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    :param error: one line if it failed, else empty.
    """

    case: str
    status: Status
    error: str = ""


_ONE_AT_A_TIME = Lock()
"""An engine takes every core it is given, and some runtimes want one thread at a time."""


def run_task(task: Task, make_pipeline: PipelineFactory) -> Outcome:
    """Run one case. Its engine stays warm for the next one that this process runs.

    Never raises: whatever is wrong with one case, the others can be run.
    """
    try:
        with _ONE_AT_A_TIME:
            warm = _kept_warm(make_pipeline)  # type: ignore[arg-type]  # functions are hashable
            return Outcome(task.case, _run(task, warm))
    except Exception as error:
        # Messages name files by their whole path; the table names them within the case.
        said = explain(error).replace(f"{task.folder}{os.sep}", "")
        return Outcome(task.case, Status.FAILED, said.replace(str(task.folder), task.case))


def _run(task: Task, make_pipeline: PipelineFactory) -> Status:
    clock = StageClock()
    with clock.stage("find"):
        found = find_sources(task.folder)
        sources = {
            modality: open_source(source) if isinstance(source, Path) else source
            for modality, source in found.items()
        }
        job = replace(task.job, inputs=sources)
        pipeline = make_pipeline(
            model=job.model, backend=job.backend, precision=job.precision, device=job.device
        )
        if is_finished(job, pipeline.package.card):
            return Status.KEPT
        _remove_left(job.output)
        _remove_left(job.manifest)
    run_job(job, make_pipeline, clock)
    return Status.DONE


@lru_cache(maxsize=1)
def _kept_warm(make_pipeline: PipelineFactory) -> PipelineFactory:
    """Return a factory that gives the same pipeline again while the request stays the same."""
    return lru_cache(maxsize=1)(make_pipeline)


def _remove_left(path: Path) -> None:
    """Remove what a process that was killed while it wrote this file has left beside it."""
    for hidden in path.parent.glob(f".*.{glob.escape(path.name)}"):
        hidden.unlink(missing_ok=True)
