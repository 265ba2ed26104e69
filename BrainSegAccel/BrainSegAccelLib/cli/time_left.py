"""Progress of long work on stderr: which piece is under way, and how long the rest will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..runs.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


class WorkLines:
    """Writes one line for each piece of work as it begins.

    The time left is told from the share of all the work that is done, once there is any.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._share = 0.0

    def begin(self, stage: str) -> None:
        """Write the name of the piece and the time left."""
        left = ""
        if self._share > 0:
            elapsed = self._clock() - self._started
            left = f" (about {in_words(elapsed * (1 / self._share - 1))} left)"
        print(f"{stage} ...{left}", file=sys.stderr, flush=True)

    def advance(self, fraction: float) -> None:
        """Note the share of all the work that is done."""
        self._share = fraction


class WorkBar:
    """Shows all the work as one bar, with the piece that is under way."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=1.0)

    def begin(self, stage: str) -> None:
        """Show the name of the piece."""
        self._bars.update(self._task, description=stage)

    def advance(self, fraction: float) -> None:
        """Show the share of all the work that is done."""
        self._bars.update(self._task, completed=fraction)


def in_words(seconds: float) -> str:
    """Return a duration as people say it: ``40 s``, ``3 min``, ``1 h 20 min``."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def work_on_stderr() -> Iterator[Progress]:
    """Yield what shows long work on stderr; the bar is gone afterwards."""
    if not sys.stderr.isatty():
        yield WorkLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        yield WorkBar(bars)
