"""Which voxels show the head rather than air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..geometry.volume import Array, Grid

EMPTY_SHARE = 0.2
"""An image in which at least this share of voxels is exactly zero has a masked background."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """A mask and how it was found.

    :param mask: bool (k, j, i) on the grid of the volume it was made from.
    :param method: in words, for the manifest.
    """

    mask: NDArray[np.bool_]
    method: str


def is_masked(array: Array) -> bool:
    """Whether zero stands for what is not shown, rather than for darkness."""
    return int(np.count_nonzero(array)) <= (1.0 - EMPTY_SHARE) * array.size


def find_foreground(array: Array) -> Foreground:
    """Find the head: non-zero voxels of a masked image, else those above Otsu's threshold.

    Otsu 1979, "A threshold selection method from gray-level histograms", doi
    10.1109/TSMC.1979.4310076, on the image; of the voxels above, the largest connected part.

    :param array: float32 (k, j, i), not constant.
    """
    if is_masked(array):
        return Foreground(array != 0, "non-zero voxels")
    above = sitk.OtsuThreshold(sitk.GetImageFromArray(array), 0, 1, 128)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(above), sortByObjectSize=True)
    return Foreground(sitk.GetArrayFromImage(parts) == 1, "largest part above Otsu's threshold")


def bounding_box_mm(mask: NDArray[np.bool_], grid: Grid) -> tuple[NDArray[np.float64], ...]:
    """Return the lowest and highest LPS position (3,) in mm of the voxel centres of a mask.

    :param mask: bool (k, j, i) on ``grid``; at least one voxel is true.
    """
    # A row of voxels along i reaches farthest, in any direction, at one of its two ends.
    rows = mask.any(axis=2)
    k, j = np.nonzero(rows)
    first = mask.argmax(axis=2)[k, j]
    last = mask.shape[2] - 1 - mask[:, :, ::-1].argmax(axis=2)[k, j]
    ends = np.stack([np.concatenate([first, last]), np.tile(j, 2), np.tile(k, 2)], axis=1)
    points = grid.to_patient(ends.astype(np.float64))
    return points.min(axis=0), points.max(axis=0)
