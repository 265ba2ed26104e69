"""A whole training run: configuration, folder, reports, resumption."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import torch

from ..errors import InputError
from .config import read_config
from .reporting import BarReport, LogReport, TensorBoardReport
from .train import CHECKPOINT, Listener, Trainer


def train(
    config: Path,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    minutes: float | None = None,
) -> None:
    """Run (or go on with) the training of ``config`` in ``folder``.

    :param minutes: stop after this wall time even if steps are left; the run can be resumed.
    :raises InputError: for a bad configuration, a foreign checkpoint, or a folder in use.
    """
    settings = read_config(config)
    if not resume and (folder / CHECKPOINT).exists():
        raise InputError(
            "holds a checkpoint already", where=folder.name, remedy="add --resume or choose another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        listeners: list[Listener] = [LogReport()]
        if sys.stderr.isatty():
            listeners.append(stack.enter_context(BarReport()))
        with contextlib.suppress(ImportError):
            listeners.append(TensorBoardReport(folder / "tensorboard"))
        trainer = Trainer(settings, folder, torch.device(device), listeners=tuple(listeners))
        if resume:
            trainer.resume()
        end = time.monotonic() + 60 * minutes if minutes else float("inf")
        trainer.run(until=lambda: time.monotonic() > end)
