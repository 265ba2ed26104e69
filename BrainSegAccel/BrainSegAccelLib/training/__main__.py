"""``python -m BrainSegAccelLib.training CONFIG.json FOLDER``: train from a configuration."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import time
from pathlib import Path

import torch

from ..errors import BrainSegAccelError, InputError
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


def main() -> int:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="brainsegaccel-train", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        train(
            options.config,
            options.folder,
            device=options.device,
            resume=options.resume,
            minutes=options.minutes,
        )
    except BrainSegAccelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
