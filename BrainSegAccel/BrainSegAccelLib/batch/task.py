"""One case of a batch, as any process runs it: found, kept if it is finished, else segmented."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock

from pydantic import ValidationError

from .. import __version__
from ..errors import explain
from ..io.hashing import sha256_of
from ..io.source import digest_of, find_sources
from ..manifest.model import Manifest
from ..models.card import ModelCard
from ..runs.execute import execute
from ..runs.files import FileInputs, FileOutput, manifest_beside
from ..runs.options import RunOptions
from ..runs.progress import StageClock
from ..runs.runner import PipelineFactory


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
    :param output: segmentation file; the manifest goes beside it.
    """

    case: str
    folder: Path
    output: Path
    options: RunOptions

    @property
    def manifest(self) -> Path:
        """Manifest file."""
        return manifest_beside(self.output)


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
        inputs = FileInputs(find_sources(task.folder))
        pipeline = make_pipeline(task.options.model, task.options.engine)
        if is_finished(task, inputs, pipeline.package.card):
            return Status.KEPT
        _remove_left(task.output)
        _remove_left(task.manifest)
    output = FileOutput(task.output, task.manifest, inputs)
    execute(inputs, task.options, output, make_pipeline=make_pipeline, clock=clock)
    return Status.DONE


def is_finished(task: Task, inputs: FileInputs, card: ModelCard) -> bool:
    """Whether result and manifest are there and belong to these inputs, model and options.

    The manifest holds the hashes of inputs, weights and result, and what was asked for. A result of
    another version of this program counts as not finished.

    :param card: of the model that would run.
    """
    manifest = read_manifest(task.manifest)
    if manifest is None or not task.output.is_file():
        return False
    found = {record.modality: record.sha256 for record in manifest.inputs}
    return (
        manifest.software.version == __version__
        and manifest.model.weights_sha256 == card.weights.sha256
        and manifest.requested == task.options.model_dump(mode="json")
        and found == {modality: digest_of(source) for modality, source in inputs.given.items()}
        and manifest.outputs[0].sha256 == sha256_of(task.output)
    )


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest of a case; None if it is not there, not valid or of an earlier form."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


@lru_cache(maxsize=1)
def _kept_warm(make_pipeline: PipelineFactory) -> PipelineFactory:
    """Return a factory that gives the same pipeline again while the request stays the same."""
    return lru_cache(maxsize=1)(make_pipeline)


def _remove_left(path: Path) -> None:
    """Remove what a process that was killed while it wrote this file has left beside it."""
    for hidden in path.parent.glob(f".*.{glob.escape(path.name)}"):
        hidden.unlink(missing_ok=True)
