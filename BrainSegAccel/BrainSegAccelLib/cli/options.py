"""Options that several commands share: which model runs, on what, and in which way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..preprocessing.options import BrainExtraction, RegistrationMode

ModelOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="Shipped model (brainsegaccel info lists them), or a .card.json file or its folder.",
    ),
]
BackendOption = Annotated[
    str, typer.Option(help="auto measures; brainsegaccel info lists what runs here.")
]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32, tf32, fp16, bf16 or int8.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, coreml or directml.")]
RegistrationOption = Annotated[
    RegistrationMode,
    typer.Option(help="Register the volumes onto one another; auto: those that do not agree yet."),
]
BiasOption = Annotated[
    bool, typer.Option("--bias-correction", help="Take slow changes of brightness out (N4).")
]
BrainExtractionOption = Annotated[
    BrainExtraction,
    typer.Option(help="Cut the head down to its brain; auto: unless that was done already."),
]
BrainMaskOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Mask to use instead: not 0 in the brain, in the space of T1c (or what stands for "
        "it), on any grid.",
    ),
]
GridOption = Annotated[
    str,
    typer.Option(
        metavar="reference|1mm|PATH",
        help="What the segmentation overlays: T1c (or what stands for it), the isotropic grid that "
        "the network saw, or another volume.",
    ),
]
