"""Mean 0 and standard deviation 1 over the brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...geometry.volume import Array


def z_score(
    array: Array, mask: NDArray[np.bool_], percentiles: tuple[float, float] = (0.5, 99.5)
) -> Array:
    """Clip to percentiles, then subtract the mean and divide by the standard deviation.

    All statistics are taken over the mask: ``lo, hi`` = the two percentiles,
    ``v = clip(array, lo, hi)``, result ``(v - mean) / std``; zero outside the mask, where the
    array is NaN because the image does not reach there, and everywhere if ``lo`` is ``hi``.

    :param array: float32 (k, j, i), any unit and scale.
    :param mask: bool, same shape.
    :returns: float32 (k, j, i), unit-free.
    """
    result = np.zeros_like(array)
    shown = mask & ~np.isnan(array)
    inside = array[shown]
    if inside.size == 0:
        return result
    low, high = np.percentile(inside, percentiles)
    if low < high:
        np.clip(inside, low, high, out=inside)
        # Summed in double precision: millions of values.
        inside -= inside.mean(dtype=np.float64)
        inside /= inside.std(dtype=np.float64)
        result[shown] = inside
    return result
