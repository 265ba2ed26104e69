"""From the model grid back to the grid that the user's reference volume lies on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..preprocessing.resampling import resample
from ..regions import Region
from ..segmentation import Segmentation
from ..volume import Grid
from .components import SMALLEST_LESION_ML, remove_small_components
from .regions_to_labels import DEFAULT_THRESHOLDS, labels_from_probabilities

MARGIN_MM = 2.0
"""Room kept around the tumour, so that interpolation at its border sees the true neighbours."""


def segment(
    probabilities: NDArray[np.float32],
    model_grid: Grid,
    target: Grid,
    thresholds: Mapping[Region, float] = DEFAULT_THRESHOLDS,
    smallest_ml: float = SMALLEST_LESION_ML,
) -> Segmentation:
    """Label the target grid from probabilities on the model grid.

    The probabilities are resampled and then thresholded, not the labels, so that borders stay
    where they are between voxels. Only the box around the tumour is touched.

    :param probabilities: float32 (3, D, H, W) of ET, TC, WT on ``model_grid``.
    :param target: the grid of the result, any orientation and spacing.
    """
    labels = np.zeros(target.shape, dtype=np.uint8)
    box = _box(probabilities[2] > 0.5 * thresholds[Region.WT], model_grid)
    placed = _covering(box, model_grid, target) if box is not None else None
    if box is not None and placed is not None:
        near = _subgrid(model_grid, box)
        part = _subgrid(target, placed)
        on_target = np.stack(
            [
                resample(np.ascontiguousarray(channel[box]), near, part)[0]
                for channel in probabilities
            ]
        )
        found = labels_from_probabilities(on_target, thresholds)
        labels[placed] = remove_small_components(found, target.voxel_volume_mm3, smallest_ml)
    return Segmentation(labels, target)


Box = tuple[slice, slice, slice]


def _box(mask: NDArray[np.bool_], grid: Grid) -> Box | None:
    """Smallest (k, j, i) box around the mask with `MARGIN_MM` to each side, or None if empty."""
    slices = []
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if hits.size == 0:
            return None
        margin = int(np.ceil(MARGIN_MM / grid.spacing[2 - axis]))
        slices.append(slice(max(int(hits[0]) - margin, 0), int(hits[-1]) + margin + 1))
    return slices[0], slices[1], slices[2]


def _covering(box: Box, source: Grid, target: Grid) -> Box | None:
    """Smallest (k, j, i) box of the target that covers a box of the source, or None."""
    corners = _subgrid(source, box).corners()
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


def _subgrid(grid: Grid, box: Box) -> Grid:
    """Grid of a (k, j, i) box of a grid."""
    bounds = [s.indices(n)[:2] for s, n in zip(box, grid.shape, strict=True)]
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_patient(np.array([start for start, _ in bounds[::-1]], dtype=float))
    k, j, i = (stop - start for start, stop in bounds)
    return Grid((k, j, i), affine)
