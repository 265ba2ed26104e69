"""How far a task has come and how long it will take, from its stages and those of the last one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import BrainSegAccelError
from ..io.atomic import atomic_write
from .messages import Stages

_REMEMBERED = 64
_ENTRIES = TypeAdapter(dict[str, Stages])

_NEARLY = 0.97
"""A stage or task that takes longer than expected stops here until it ends."""


class Timeline:
    """Follows one task.

    :param clock: tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._stage_started = clock()
        self._told: float | None = None
        self._plan: Stages = ()
        self._next = 0
        self._before = 0.0
        self._shown = 0.0
        self.stage = ""

    def plan(self, stages: Stages) -> None:
        """Expect these stages from now on; what has passed so far counts as done."""
        self._before = self._clock() - self._started
        self._plan, self._next = stages, 0

    def begin(self, stage: str) -> None:
        """Note that a stage begins. One that is not planned takes no time."""
        self.stage, self._told, self._stage_started = stage, None, self._clock()
        for index in range(self._next, len(self._plan)):
            if self._plan[index][0] == stage:
                self._next = index + 1
                return

    def advance(self, fraction: float) -> None:
        """Note that this share of the stage is done."""
        self._told = fraction

    def fraction(self) -> float | None:
        """Return the share of the task that is done, never less than before; None: not known."""
        if not self._plan:
            return None
        whole = self._before + sum(seconds for _, seconds in self._plan)
        self._shown = max(self._shown, min(_NEARLY, self._done() / max(whole, 1e-3)))
        return self._shown

    def seconds_left(self) -> float | None:
        """Return how long the task will still take; None: not known."""
        if not self._plan:
            return None
        whole = self._before + sum(seconds for _, seconds in self._plan)
        return max(0.0, whole - self._done())

    def _done(self) -> float:
        """Seconds of the plan that are behind: whole stages, and the share of the current one."""
        past = self._plan[: max(self._next - 1, 0)]
        done = self._before + sum(seconds for _, seconds in past)
        if self._next == 0:
            return done
        name, expected = self._plan[self._next - 1]
        if name != self.stage:  # An unplanned stage follows the planned one, which is over.
            return done + expected
        elapsed = (self._clock() - self._stage_started) / max(expected, 1e-3)
        return done + expected * (min(elapsed, _NEARLY) if self._told is None else self._told)


class History:
    """The stages of the last task of each kind, in a file.

    :param folder: where the file lies; one that cannot be read or written is as good as none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "stages.json"

    def recall(self, *kinds: str) -> Stages | None:
        """Return the stages of the last task of the first kind of which there was one, or None."""
        entries = self._read()
        return next((entries[kind] for kind in kinds if kind in entries), None)

    def remember(self, kind: str, stages: Stages) -> None:
        """Keep the stages of a task, and of the latest others."""
        entries = self._read()
        entries.pop(kind, None)
        entries[kind] = tuple((name, round(seconds, 4)) for name, seconds in stages)
        latest = dict(list(entries.items())[-_REMEMBERED:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as beside:
                beside.write_text(json.dumps(latest, indent=1), encoding="utf-8")
        except (OSError, BrainSegAccelError):
            pass  # The next task shows no time left; nothing else is lost.

    def _read(self) -> dict[str, Stages]:
        try:
            return _ENTRIES.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}
