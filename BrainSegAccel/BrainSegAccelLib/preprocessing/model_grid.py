"""The grid that the network sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.volume import Grid
from .foreground import bounding_box_mm

AIR_SHARE = 0.001
"""Share of the mask that may be cut off where the network then needs one window instead of two."""
_MOST_POINTS = 200_000


def model_grid(
    mask: NDArray[np.bool_],
    grid: Grid,
    window: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Grid:
    """Return the grid of the network's input, its axes along L, P and S.

    It lies on the lattice of the mask's grid where that is possible, so that axis-aligned input of
    its own spacing is cropped, never blurred. A mask that is smaller than the window lies in its
    middle; a larger one keeps its size, unless what sticks out is next to nothing (`AIR_SHARE`).

    :param mask: bool (k, j, i) on ``grid``, at least one voxel is true.
    :param window: static (D, H, W) of the network, along S, P, L.
    :param spacing_mm: of its voxels along D, H, W.
    """
    voxel = np.array(spacing_mm[::-1], dtype=np.float64)
    low, high = bounding_box_mm(mask, grid)
    first = np.floor((low - grid.origin) / voxel + 1e-3)
    count = np.ceil((high - grid.origin) / voxel - first - 1e-3).astype(int) + 1
    size = np.array(window[::-1])
    if (count > size).any():
        first, count = _without_air(mask, grid, first, count, size, voxel)
    shape = np.maximum(count, size)
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = grid.origin + first * voxel - (shape - count) // 2 * voxel
    i, j, k = (int(n) for n in shape)
    return Grid((k, j, i), affine)


def _without_air(
    mask: NDArray[np.bool_],
    grid: Grid,
    first: NDArray[np.float64],
    count: NDArray[np.int_],
    window: NDArray[np.int_],
    voxel: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Narrow a box (L, P, S) to the window along each axis where hardly any of the mask is lost."""
    ijk = np.argwhere(mask)[:, ::-1]
    points = grid.to_patient(ijk[:: len(ijk) // _MOST_POINTS + 1].astype(np.float64))
    cells = np.floor((points - grid.origin) / voxel - first + 1e-3).astype(int)
    first, count = first.copy(), count.copy()
    for axis in np.flatnonzero(count > window):
        layers = np.bincount(cells[:, axis], minlength=count[axis])
        below = np.concatenate([[0], np.cumsum(layers)])
        within = below[window[axis] :] - below[: -window[axis]]
        start = int(within.argmax())
        if within[start] >= (1.0 - AIR_SHARE) * len(cells):
            first[axis] += start
            count[axis] = window[axis]
    return first, count
