"""Intensities of any scanner brought to one scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volume import Array

PERCENTILES = (0.5, 99.5)


def normalise(array: Array, mask: NDArray[np.bool_]) -> Array:
    """Clip to percentiles, then subtract the mean and divide by the standard deviation.

    All statistics are taken over the mask: ``lo, hi`` = 0.5th and 99.5th percentile,
    ``v = clip(array, lo, hi)``, result ``(v - mean) / (std + 1e-6)``; zero outside the mask.

    :param array: float32 (k, j, i), any unit.
    :param mask: bool, same shape, at least one voxel true.
    :returns: float32 (k, j, i), unit-free.
    """
    inside = array[mask]
    low, high = np.percentile(inside, PERCENTILES).astype(np.float32)
    np.clip(inside, low, high, out=inside)
    mean = inside.mean(dtype=np.float64)
    deviation = inside.std(dtype=np.float64) + 1e-6
    result = np.zeros_like(array)
    result[mask] = (inside - np.float32(mean)) / np.float32(deviation)
    return result
