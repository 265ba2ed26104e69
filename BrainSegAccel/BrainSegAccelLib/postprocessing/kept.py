"""What a run keeps to label again from: probabilities that were resampled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.carried import Carried
from ..geometry.roi import Roi
from ..geometry.volume import Box, Grid
from ..models.description import Outputs


@dataclass(frozen=True, eq=False)
class KeptProbabilities:
    """Probabilities on the grid of the labels, in a box that holds all that can be tumour.

    :param values: float32 (C, k, j, i) on ``box``, a channel for each of ``outputs.channels``;
        outside of it there is background. The box is empty where there is no tumour.
    :param box: (k, j, i) slices into ``grid``.
    :param grid: the reference volume's own grid.
    :param outputs: what the channels mean.
    """

    values: Annotated[NDArray[np.float32], Carried]
    box: Box
    grid: Grid
    outputs: Outputs

    @classmethod
    def nothing(cls, grid: Grid, outputs: Outputs) -> KeptProbabilities:
        """No tumour anywhere."""
        empty = np.zeros((len(outputs.channels), 0, 0, 0), dtype=np.float32)
        return cls(empty, (slice(0, 0),) * 3, grid, outputs)


def merge(base: KeptProbabilities, inside: KeptProbabilities, roi: Roi) -> KeptProbabilities:
    """Take one result inside of a region of interest and another outside of it.

    :param base: counts where the centre of a voxel lies outside of ``roi``.
    :param inside: counts within; on the same grid, of a model with the same outputs.
    :raises InputError: the two lie on different grids, or mean different things.
    """
    for same, what in (
        (base.grid.same_as(inside.grid), "lies on another grid"),
        (base.outputs == inside.outputs, "is of a model with other outputs"),
    ):
        if not same:
            raise InputError(what, where="the earlier result", remedy="run on the whole head first")
    boxes = [kept.box for kept in (base, inside) if kept.values.size]
    if not boxes:
        return base
    spans = [
        slice(min(s.start for s in along), max(s.stop for s in along))
        for along in zip(*boxes, strict=True)
    ]
    box = (spans[0], spans[1], spans[2])
    within = roi.mask(base.grid.part(box))
    values = np.where(within, _on(box, inside), _on(box, base))
    return KeptProbabilities(values, box, base.grid, base.outputs)


def _on(box: Box, kept: KeptProbabilities) -> NDArray[np.float32]:
    """Return the values on a larger box; zeros of all channels are labelled as background."""
    values = np.zeros((len(kept.values), *(s.stop - s.start for s in box)), dtype=np.float32)
    if kept.values.size:
        place = tuple(
            slice(s.start - outer.start, s.stop - outer.start)
            for s, outer in zip(kept.box, box, strict=True)
        )
        values[(slice(None), *place)] = kept.values
    return values
