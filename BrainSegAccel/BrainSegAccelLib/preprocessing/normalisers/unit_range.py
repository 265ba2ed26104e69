"""From 0 to 1 over the whole block."""

from __future__ import annotations

import numpy as np

from ...geometry.volume import Array


def unit_range(array: Array, percentiles: tuple[float, float] = (0.5, 99.5)) -> Array:
    """Clip to percentiles of all voxels and bring these to 0 and 1; a constant becomes 0.

    :param array: float32 (k, j, i), any unit and scale; no NaN.
    """
    low, high = np.percentile(array, percentiles)
    scaled: Array = np.clip((array - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return scaled
