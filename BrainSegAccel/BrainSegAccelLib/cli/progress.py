"""Stages of a run on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..runs.progress import Progress, StageClock

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from .services import Services


UNTIL_USABLE = frozenset({"find", "check", "read"})
"""Stages that refuse unusable arguments and input: such a run writes its error and no more."""


class Lines:
    """Writes one line for each stage as it begins, once the input is known to be usable."""

    def begin(self, stage: str) -> None:
        """Write the name of the stage."""
        if stage not in UNTIL_USABLE:
            print(f"{stage} ...", file=sys.stderr, flush=True)

    def advance(self, fraction: float) -> None:
        """Say nothing: lines cannot be taken back."""


class Bar:
    """Shows the current stage, and how much of it is done where that is told."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("start", total=None)

    def begin(self, stage: str) -> None:
        """Show the stage; its bar runs to and fro until something is told."""
        self._bars.reset(self._task, total=None, description=stage)

    def advance(self, fraction: float) -> None:
        """Show the share of the stage that is done."""
        self._bars.update(self._task, total=1.0, completed=fraction)


@contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """Yield what shows progress on stderr; the bar is gone afterwards."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    with Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        yield Bar(bars)


@contextmanager
def clock_on_stderr(services: Services) -> Iterator[StageClock]:
    """Yield the clock of a run, which shows its stages and has counted the start of the process."""
    from ..manifest.model import PROCESS_START

    with progress_on_stderr() as progress:
        clock = StageClock(progress)
        if services.since_start:
            clock.add(PROCESS_START, services.since_start())
        yield clock
