"""From the model grid back to the grid that the user's reference volume lies on."""

from __future__ import annotations

import numpy as np

from ..geometry.bounding_box import bounding_box
from ..geometry.resampling import resample
from ..geometry.volume import Box, Grid
from ..models.description import LOWEST_THRESHOLD, Outputs
from .kept import KeptProbabilities
from .labelling import Probabilities, tumour_probability

MARGIN_MM = 2.0
"""Room kept around the tumour, so that interpolation at its border sees the true neighbours."""


def resample_probabilities(
    probabilities: Probabilities,
    outputs: Outputs,
    model_grid: Grid,
    target: Grid,
    lowest: float = LOWEST_THRESHOLD,
) -> KeptProbabilities:
    """Resample the probabilities of all that can be tumour onto the target grid.

    They are thresholded there, not the labels resampled, so that borders stay where they are
    between voxels. Only the box around the tumour is touched.

    :param probabilities: float32 (C, D, H, W) on ``model_grid``.
    :param target: the grid of the result, any orientation and spacing.
    :param lowest: what is less probably tumour than this does not matter.
    """
    tumour = bounding_box(tumour_probability(probabilities, outputs) > lowest)
    box = _with_margin(tumour, model_grid) if tumour is not None else None
    placed = _covering(box, model_grid, target) if box is not None else None
    if box is None or placed is None:
        return KeptProbabilities.nothing(target, outputs)
    near, part = model_grid.part(box), target.part(placed)
    values = np.stack(
        [resample(np.ascontiguousarray(channel[box]), near, part)[0] for channel in probabilities]
    )
    return KeptProbabilities(values, placed, target, outputs)


def _with_margin(box: Box, grid: Grid) -> Box:
    """Return a (k, j, i) box grown by `MARGIN_MM` to each side, within the grid."""
    margins = [int(np.ceil(MARGIN_MM / spacing)) for spacing in grid.spacing[::-1]]
    k, j, i = (
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, margin, size in zip(box, margins, grid.shape, strict=True)
    )
    return k, j, i


def _covering(box: Box, source: Grid, target: Grid) -> Box | None:
    """Smallest (k, j, i) box of the target that covers a box of the source, or None."""
    corners = source.part(box).corners()
    ijk = target.to_voxel(corners)
    low = np.floor(ijk.min(axis=0)).astype(int)
    high = np.ceil(ijk.max(axis=0)).astype(int) + 1
    slices = []
    for axis in range(3):
        start, stop = max(int(low[2 - axis]), 0), min(int(high[2 - axis]), target.shape[axis])
        if start >= stop:
            return None
        slices.append(slice(start, stop))
    return slices[0], slices[1], slices[2]
