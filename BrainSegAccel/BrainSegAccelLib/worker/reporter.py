"""What the worker tells about a task while it runs, and where it lets go of a cancelled one."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import messages
from .history import Stages

_SECONDS_BETWEEN = 0.1
"""Shares of a stage are told no more often."""


class TaskCancelled(BaseException):
    """Unwinds a task; no `Exception`, so that nothing on the way takes it for a failure."""


class Reporter:
    """The `runs.progress.Progress` of one task.

    :param send: sends a message to the client.
    :param cancelled: whether the task has been cancelled.
    """

    def __init__(
        self, task: int, send: Callable[[messages.Message], None], cancelled: Callable[[], bool]
    ) -> None:
        self._task, self._send, self._cancelled = task, send, cancelled
        self._begun: list[tuple[str, float]] = []
        self._advanced = 0.0

    def plan(self, stages: Stages | None) -> None:
        """Say that the task begins, and which stages are expected."""
        self._send(messages.PlanMessage(task=self._task, stages=stages))

    def begin(self, stage: str) -> None:
        """Say that a stage begins.

        :raises TaskCancelled: the task has been cancelled.
        """
        self.check()
        self._begun.append((stage, time.perf_counter()))
        self._send(messages.StageMessage(task=self._task, name=stage))

    def advance(self, fraction: float) -> None:
        """Say that this share of the stage is done.

        :raises TaskCancelled: the task has been cancelled.
        """
        self.check()
        now = time.perf_counter()
        if now - self._advanced > _SECONDS_BETWEEN:
            self._advanced = now
            self._send(messages.AdvanceMessage(task=self._task, fraction=fraction))

    def check(self) -> None:
        """Let go of the task if it has been cancelled.

        :raises TaskCancelled: it has.
        """
        if self._cancelled():
            raise TaskCancelled

    def stages(self) -> Stages:
        """Return the stages so far with their seconds, the last one until now."""
        ends = [*(started for _, started in self._begun), time.perf_counter()][1:]
        return tuple(
            (name, end - started) for (name, started), end in zip(self._begun, ends, strict=True)
        )
