"""``brainsegaccel train``: weights from synthetic cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, JSON.")],
    folder: Annotated[Path, typer.Argument(help="Where checkpoints, weights and reports go.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after this time; can be resumed.")
    ] = None,
) -> None:
    """Train a network on synthetic cases. Needs the train extra."""
    import logging

    from .extras import needs

    with needs("train"):
        from ..training.run import train as run_training
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run_training(config, folder, device=device, resume=resume, minutes=minutes)
