"""A brain mask, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class BrainSource(StrEnum):
    """Where a brain mask comes from, as the manifest says it."""

    GIVEN = "mask given"
    STRIPPED = "already extracted"
    NETWORK = "brain network"
    HEAD = "whole head"


@dataclass(frozen=True, eq=False)
class BrainMask:
    """A brain mask and the evidence for it.

    :param mask: bool (k, j, i) on the grid of the reference; at least one voxel is true.
    :param method: how it was found, in words.
    :param background_share: share of the reference's voxels that hold exactly the value of its
        background; an extracted brain has a large one, a head with noise around it nearly none.
    """

    mask: NDArray[np.bool_]
    source: BrainSource
    method: str
    background_share: float
