"""The smallest box that holds a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .volume import Box


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest (k, j, i) box that holds every true voxel; None if there is none.

    :param mask: bool (k, j, i).
    """
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if not planes.size:
        return None
    inner = mask[planes[0] : planes[-1] + 1]  # What is left to look at, mostly far less.
    rows, columns = np.flatnonzero(inner.any(axis=(0, 2))), np.flatnonzero(inner.any(axis=(0, 1)))
    k, j, i = (slice(int(hits[0]), int(hits[-1]) + 1) for hits in (planes, rows, columns))
    return k, j, i
