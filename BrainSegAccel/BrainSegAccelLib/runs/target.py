"""On which grid a result is written, and in whose place."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import InputError
from ..geometry.volume import Grid
from ..preprocessing.network_input import NetworkInput
from ..study.modality import Modality
from ..study.study import Study
from .options import MODEL_GRID, REFERENCE, RunOptions

Target = Literal["reference", "1mm"] | Modality | Grid


def check_target(options: RunOptions, study: Study) -> None:
    """Check that what the result is to overlay is there.

    :raises InputError: a modality that was not given.
    """
    if isinstance(options.grid, Modality) and options.grid not in study:
        raise InputError(
            f"{options.grid.label} was not given",
            where="--grid",
            remedy=f"name one of {', '.join(study)}",
        )


def locate(target: Target, study: Study, given: NetworkInput) -> tuple[Grid, Grid]:
    """Return where the model grid lies in the space of what the result overlays, and its grid.

    A modality's own grid lies where its own header puts it: one that was registered is not there,
    so a result that is to overlay it as it is stored goes back with it. Any other grid lies in the
    reference's place.

    :raises KeyError: a modality that was not given, see `check_target`.
    """
    if isinstance(target, Grid):
        return given.grid, target
    if target == MODEL_GRID:
        return given.grid, given.grid
    modality = study.reference if target == REFERENCE else Modality(target)
    found = given.record.alignment.get(modality)
    back = np.linalg.inv(found.motion).astype(np.float64) if found else np.eye(4)
    return given.grid.moved(back), study[modality].grid
