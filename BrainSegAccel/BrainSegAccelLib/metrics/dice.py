"""The Dice coefficient of two masks, once for everybody who compares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return 2|A∩B| / (|A|+|B|); 1 if both masks are empty, 0 if one is.

    :raises ValueError: if the shapes differ.
    """
    if one.shape != other.shape:
        raise ValueError(f"shapes differ: {one.shape} and {other.shape}")
    sizes = np.count_nonzero(one) + np.count_nonzero(other)
    return float(dice_of_counts(np.count_nonzero(one & other), sizes))


def dice_of_counts(common: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Return Dice from numbers of voxels, which may be those of several cases together.

    :param common: how many voxels both masks have.
    :param sizes: how many each has, added up; where this is 0 Dice is 1.
    """
    total = np.asarray(sizes)
    return np.where(total > 0, 2.0 * np.asarray(common) / np.maximum(total, 1), 1.0)
