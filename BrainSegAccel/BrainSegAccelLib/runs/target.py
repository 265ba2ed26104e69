"""On which grid a result is written, and in whose place."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..geometry.volume import Grid
from ..preprocessing.network_input import NetworkInput
from ..study.modality import Modality
from ..study.study import Study

MODEL_GRID: Literal["1mm"] = "1mm"
"""Stands for the isotropic 1 mm grid that the network saw, in the reference's place."""

Target = Modality | Grid | Literal["1mm"]
"""A modality's own grid, where its own header puts it; any other grid in the reference's place."""


def locate(target: Target, study: Study, given: NetworkInput) -> tuple[Grid, Grid]:
    """Return where the model grid lies in the target's space, and the target grid.

    A modality that was registered is not where its header puts it. The result that is to overlay
    it as it is stored goes back with it.
    """
    if isinstance(target, Grid):
        return given.grid, target
    if target == MODEL_GRID:
        return given.grid, given.grid
    modality = Modality(target)
    found = given.record.alignment.get(modality)
    back = np.linalg.inv(found.to_reference).astype(np.float64) if found else np.eye(4)
    return given.grid.moved(back), study[modality].grid
