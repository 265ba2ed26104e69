"""Which normaliser a model card names."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from ...geometry.volume import Array
from ...models.description import Normaliser, UnitRange, ZScore
from .unit_range import unit_range
from .z_score import z_score


def normalise(array: Array, mask: NDArray[np.bool_], normaliser: Normaliser) -> Array:
    """Bring intensities to the scale that a network expects.

    :param array: float32 (k, j, i), any unit and scale; NaN where nothing is shown.
    :param mask: bool, same shape: the brain.
    :returns: float32 (k, j, i), unit-free and without NaN.
    """
    match normaliser:
        case ZScore():
            return z_score(array, mask, normaliser.percentiles)
        case UnitRange():
            return unit_range(np.nan_to_num(array), normaliser.percentiles)
        case _:
            assert_never(normaliser)
