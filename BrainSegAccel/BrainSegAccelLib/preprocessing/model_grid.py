"""The 1 mm grid that the network sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.volume import Grid
from .foreground import bounding_box_mm

AIR_SHARE = 0.001
"""Share of the mask that may be cut off where the network then needs one window instead of two."""
_MOST_POINTS = 200_000


def model_grid(mask: NDArray[np.bool_], grid: Grid, static_shape: tuple[int, int, int]) -> Grid:
    """Return the grid of the network's input: isotropic, 1 mm, its axes along L, P and S.

    It lies on the lattice of the mask's grid where that is possible, so that 1 mm axis-aligned
    input is cropped, never blurred. A mask that is smaller than the static shape lies in its
    middle; a larger one keeps its size, unless what sticks out is next to nothing (`AIR_SHARE`).

    :param mask: bool (k, j, i) on ``grid``, at least one voxel is true.
    :param static_shape: (D, H, W) of the engine, along S, P, L.
    """
    low, high = bounding_box_mm(mask, grid)
    first = np.floor(low - grid.origin + 1e-3)
    count = np.ceil(high - grid.origin - first - 1e-3).astype(int) + 1
    window = np.array(static_shape[::-1])
    if (count > window).any():
        first, count = _without_air(mask, grid, first, count, window)
    shape = np.maximum(count, window)
    affine = np.eye(4)
    affine[:3, 3] = grid.origin + first - (shape - count) // 2
    i, j, k = (int(n) for n in shape)
    return Grid((k, j, i), affine)


def _without_air(
    mask: NDArray[np.bool_],
    grid: Grid,
    first: NDArray[np.float64],
    count: NDArray[np.int_],
    window: NDArray[np.int_],
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Narrow a box (L, P, S) to the window along each axis where hardly any of the mask is lost."""
    ijk = np.argwhere(mask)[:, ::-1]
    points = grid.to_patient(ijk[:: len(ijk) // _MOST_POINTS + 1].astype(np.float64))
    cells = np.floor(points - grid.origin - first + 1e-3).astype(int)
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
