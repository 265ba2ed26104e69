"""Bringing values from one grid onto another through physical space."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .lattice import common_lattice
from .volume import Array, Grid


def to_image(array: NDArray[np.generic], grid: Grid) -> sitk.Image:
    """Return a SimpleITK image (LPS) of a (k, j, i) array on a grid."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing)
    image.SetDirection(grid.direction.ravel().tolist())
    image.SetOrigin(grid.origin.tolist())
    return image


def resample(array: Array, source: Grid, target: Grid, outside: float = 0.0) -> tuple[Array, bool]:
    """Return the values of an image on another grid.

    Voxels are copied where both grids share one lattice, else interpolated linearly.

    :param array: float32 (k, j, i) on ``source``.
    :param outside: value where the source has none, half a voxel beyond its outermost centres.
    :returns: float32 (k, j, i) on ``target``, and whether values were interpolated.
    """
    lattice = common_lattice(source, target)
    if lattice is not None:
        return lattice.copy(array, target.shape, outside), False
    k, j, i = target.shape
    resampled = sitk.Resample(
        to_image(array, source),
        (i, j, k),
        sitk.Transform(),
        sitk.sitkLinear,
        target.origin.tolist(),
        target.spacing,
        target.direction.ravel().tolist(),
        outside,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(resampled), True
