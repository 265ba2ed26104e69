"""What the commands work with, so that another can be handed in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..backends.auto import Choice
    from ..backends.protocol import Engine
    from ..inference.progress import StageClock
    from ..inference.result import RunResult
    from ..network.package import ModelPackage
    from ..study import Study


class Runner(Protocol):
    """What a job needs of `inference.pipeline.Pipeline`."""

    @property
    def package(self) -> ModelPackage:
        """The model that runs."""
        ...

    @property
    def choice(self) -> Choice | None:
        """What ``auto`` measured, once an engine is there."""
        ...

    def warm(self, clock: StageClock | None = None) -> Engine:
        """Return the engine, built if need be."""
        ...

    def run(self, study: Study, clock: StageClock | None = None) -> RunResult:
        """Segment a study."""
        ...


class PipelineFactory(Protocol):
    """Makes a pipeline, or says why this machine cannot run it."""

    def __call__(self, *, backend: str, precision: str, device: str) -> Runner:
        """Check the request.

        :raises UnavailableError: this machine cannot run what is asked for.
        """
        ...


def shipped_pipeline(*, backend: str, precision: str, device: str) -> Runner:
    """Return a pipeline of the shipped model."""
    from ..inference.pipeline import Pipeline

    return Pipeline(backend=backend, precision=precision, device=device)


def seconds_since_start() -> float:
    """Return how long ago this process was started, to about 10 ms."""
    if sys.platform == "linux":
        # The 20th field after the command's name, in ticks since boot (proc(5)). psutil adds the
        # boot time, which Linux tells in whole seconds.
        import os

        with open("/proc/self/stat") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        started = ticks / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    import psutil

    return max(0.0, time.time() - psutil.Process().create_time())


@dataclass(frozen=True)
class Services:
    """What commands work with.

    :param make_pipeline: makes the pipeline of a request.
    :param since_start: seconds since the process began, for the first stage of a run; None where
        the process did other things before.
    """

    make_pipeline: PipelineFactory = shipped_pipeline
    since_start: Callable[[], float] | None = seconds_since_start
