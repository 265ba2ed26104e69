"""``brainsegaccel train``: weights from synthetic cases, and from one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="Training configuration, JSON.")
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where checkpoint, weights and reports go.")
]
DeviceOption = Annotated[str, typer.Option(help="cpu or cuda.")]
SeedOption = Annotated[
    int | None,
    typer.Option(
        min=0, help="Instead of the configuration's seed: another run of the same recipe."
    ),
]
InitialOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Start from these weights: the name of a shipped model, a .card.json file, or "
        "the weights.safetensors of another run.",
    ),
]
PruneOption = Annotated[
    bool,
    typer.Option(
        "--prune", help="The weights to start from are of a larger network: keep what fits."
    ),
]
QatOption = Annotated[
    bool,
    typer.Option(
        "--qat",
        help="Round convolutions as the INT8 export will (quantisation-aware training).",
    ),
]
TeacherOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL",
        help="Learn from what this model says, too (distillation); given again, from the mean.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Learn from labelled cases too: one subfolder a case, as BraTS has them.",
    ),
]
PreparedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Keep the cases of --data here, prepared; several runs may share it. "
        "[default: FOLDER/prepared]",
    ),
]
MinutesOption = Annotated[
    float | None, typer.Option(min=0.0, help="Stop after this time; --resume goes on.")
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume", help="Go on from the folder's checkpoint; give all else as before."),
]


def train(
    config: ConfigArgument,
    folder: FolderArgument,
    device: DeviceOption = "cpu",
    seed: SeedOption = None,
    initial: InitialOption = None,
    prune: PruneOption = False,
    qat: QatOption = False,
    teacher: TeacherOption = None,
    data: DataOption = None,
    prepared: PreparedOption = None,
    minutes: MinutesOption = None,
    resume: ResumeOption = False,
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
