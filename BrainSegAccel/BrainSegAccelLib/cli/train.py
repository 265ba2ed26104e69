"""``brainsegaccel train``: weights from synthetic cases, and from one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Training configuration, JSON.")],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where checkpoint, weights and reports go.")
    ],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Instead of the configuration's seed: another run of the same recipe."
        ),
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Start from these weights: the name of a shipped model, a .card.json file, or "
            "the weights.safetensors of another run.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="The weights to start from are of a larger network: keep what fits."
        ),
    ] = False,
    qat: Annotated[
        bool,
        typer.Option(
            "--qat",
            help="Round convolutions as the INT8 export will (quantisation-aware training).",
        ),
    ] = False,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Learn from what this model says, too (distillation); given again, from the mean.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Learn from labelled cases too: one subfolder a case, as BraTS has them.",
        ),
    ] = None,
    prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the cases of --data here, prepared; several runs may share it. "
            "[default: FOLDER/prepared]",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after this time; --resume goes on.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the folder's checkpoint; give all else as before."
        ),
    ] = False,
) -> None:
    """Train a network. Needs the train extra.

    Learns from synthetic cases, which are made while it runs. FOLDER gets weights.safetensors (the
    average that is used), checkpoint.pt, training.json and TensorBoard's log. Stopped at any
    moment, a run goes on with --resume.
    """
    import logging

    from .extras import needs

    with needs("train"):
        from ..training.run import train as run_training
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run_training(
        config,
        folder,
        device=device,
        resume=resume,
        minutes=minutes,
        seed=seed,
        initial=initial,
        prune=prune,
        qat=qat,
        teachers=teacher or (),
        data=data,
        prepared=prepared,
    )
