"""``brainsegaccel evaluate``: how far two label maps agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="Label map or segmentation file.")],
    reference: Annotated[Path, typer.Argument(help="What it is compared with, on the same grid.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two label maps: Dice, HD95 and volumes by region.

    Label 4 counts as enhancing tumour, as in BraTS up to 2021.
    """
    from ..benchmark.evaluate import evaluate_files

    evaluation = evaluate_files(prediction, reference)
    if as_json:
        print(json.dumps(evaluation.as_document(), indent=2))
    else:
        from rich.console import Console

        Console(highlight=False).print(evaluation.as_table())
