"""Where the progress of a run goes: the log, a progress bar, TensorBoard."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from torch.utils.tensorboard import SummaryWriter

from .train import Progress

log = logging.getLogger(__name__)


class LogReport:
    """One plain line every ``seconds``, at each validation and at the end."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self._last = float("-inf")
        self._losses: list[float] = []
        self._times: list[float] = []

    def __call__(self, progress: Progress) -> None:
        """Note a step; write when it is time."""
        self._losses.append(progress.loss)
        self._times.append(progress.seconds)
        now = time.monotonic()
        due = now - self._last >= self.seconds or progress.step == progress.steps
        if not due and progress.scores is None:
            return
        self._last = now
        log.info(
            "step %d/%d stage %d loss %.4f lr %.2e %.2f s/step eta %.0f min%s",
            progress.step,
            progress.steps,
            progress.stage + 1,
            sum(self._losses) / len(self._losses),
            progress.learning_rate,
            sum(self._times) / len(self._times),
            progress.remaining / 60,
            _written(progress.scores),
        )
        self._losses.clear()
        self._times.clear()


def _written(scores: dict[str, float] | None) -> str:
    if not scores:
        return ""
    return " | validation " + " ".join(f"{name} {value:.3f}" for name, value in scores.items())


class BarReport:
    """A bar on standard error with the estimated time to the end; use as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console

        self._bar = Bar(
            TextColumn("stage {task.fields[stage]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[minutes]:.0f} min left"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("train", total=None, stage=1, loss=float("nan"), minutes=0)

    def __enter__(self) -> BarReport:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            stage=progress.stage + 1,
            loss=progress.loss,
            minutes=progress.remaining / 60,
        )


class TensorBoardReport:
    """Scalars for TensorBoard under ``folder``; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: SummaryWriter | None = None

    def __enter__(self) -> TensorBoardReport:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()

    def __call__(self, progress: Progress) -> None:
        """Write a step's scalars."""
        if self._writer is None:
            # What a run that was killed logged after its last checkpoint is done again.
            self._writer = SummaryWriter(str(self.folder), purge_step=progress.step)
        self._writer.add_scalar("loss", progress.loss, progress.step)
        self._writer.add_scalar("learning_rate", progress.learning_rate, progress.step)
        self._writer.add_scalar("seconds_per_step", progress.seconds, progress.step)
        for name, value in (progress.scores or {}).items():
            self._writer.add_scalar(f"validation/{name}", value, progress.step)
