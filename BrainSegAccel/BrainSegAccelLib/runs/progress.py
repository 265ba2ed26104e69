"""Named stages of a run: timed for the manifest, shown to whoever waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Someone who wants to know how a run gets on."""

    def begin(self, stage: str) -> None:
        """Note that a named stage begins.

        :raises KeyboardInterrupt: or any error of its own to cancel the run.
        """
        ...

    def advance(self, fraction: float) -> None:
        """Note that this share (0 to 1) of the current stage is done."""
        ...


class Silent:
    """A `Progress` that tells nobody."""

    def begin(self, stage: str) -> None:
        """Ignore it."""

    def advance(self, fraction: float) -> None:
        """Ignore it."""


class StageClock:
    """Times the stages of one run in the order in which they first begin.

    :param progress: told of every stage.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress: Progress = progress or Silent()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Time the body as stage ``name``; a stage entered twice adds up."""
        self.progress.begin(name)
        started = time.perf_counter()
        try:
            yield self.progress
        finally:
            self.add(name, time.perf_counter() - started)

    def add(self, name: str, seconds: float) -> None:
        """Account time that was measured elsewhere, e.g. the start of the process."""
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

    @property
    def stages_ms(self) -> dict[str, float]:
        """Wall milliseconds of every stage so far."""
        return {name: seconds * 1000.0 for name, seconds in self._seconds.items()}
