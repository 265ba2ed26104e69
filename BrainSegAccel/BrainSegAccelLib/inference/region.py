"""Running the network only where a person points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..backends.protocol import Shape
from ..errors import InputError
from ..geometry.resampling import resample
from ..geometry.roi import Roi
from ..geometry.volume import Grid
from ..preprocessing.network_input import NetworkInput


def crop_to_roi(given: NetworkInput, roi: Roi, window: Shape) -> NetworkInput:
    """Return what the network is given, with the region of interest in the middle.

    The voxels are those of the whole input, normalised with it; the grid is the smallest that
    holds the region and one window. What lies beyond the input is zero.

    :param window: static shape (D, H, W) of the engine.
    :raises InputError: the region lies outside of the input.
    """
    corners = given.grid.to_voxel(roi.corners())[:, ::-1]
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    if (high < 0).any() or (low >= given.grid.shape).any():
        raise InputError(
            "lies outside of the head",
            where="region of interest",
            remedy="move it onto the head, or run without it",
        )
    shape = np.maximum(high - low + 1, window).astype(int)
    first = np.round((low + high + 1 - shape) / 2)
    affine = given.grid.affine.copy()
    affine[:3, 3] = given.grid.to_patient(first[::-1])
    grid = Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    x = np.stack([resample(channel, given.grid, grid)[0] for channel in given.x[0]])[None]
    record = given.record.model_copy(update={"model_grid_shape": grid.size})
    return replace(given, x=x, grid=grid, record=record)
