"""Pipelines that die, for batches that must survive it.

They are named, not made in a test, because other processes import them. What they did is told by
files in the folder that the environment variable `DIARY` names.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.runs.runner import Runner, local_pipeline

DIARY = "MORTAL_DIARY"
DEADLY = {2, 5}
"""Which runs end with the death of their process, counted from 1 over all processes."""


class Mortal:
    """A real pipeline; some of its runs end in the middle, with the process."""

    def __init__(self, pipeline: Runner) -> None:
        self._pipeline = pipeline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def run(self, *arguments: Any, **options: Any) -> RunResult:
        if _next_number() in DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._pipeline.run(*arguments, **options)


def mortal_pipeline(model: str, engine: EngineChoice) -> Runner:
    """Make a pipeline whose process dies in the runs of `DEADLY`."""
    return Mortal(local_pipeline(model, engine))  # type: ignore[return-value]


def deadly_pipeline(_model: str, _engine: EngineChoice) -> Runner:
    """Die at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def begun_runs(folder: Path) -> int:
    """Return how many runs have begun, those that ended in death included."""
    return len(list(folder.iterdir()))


def _next_number() -> int:
    number = 1
    while True:
        try:
            Path(os.environ[DIARY], f"{number}").touch(exist_ok=False)
            return number
        except FileExistsError:
            number += 1
