"""Which voxels of the reference are brain, and how that is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RunError
from ..geometry.resampling import resample
from ..geometry.volume import Array, Volume
from ..study.study import check_grid
from .brain_mask import BrainMask, BrainSource
from .foreground import EMPTY_SHARE, find_foreground
from .options import BrainExtraction

LARGEST_BRAIN_ML = 2200.0
"""A masked image that shows more than this shows a head; adult brains with CSF reach 1900 ml."""
SMALLEST_BRAIN_ML = 100.0
"""Less than this, in what the network calls brain, is no brain."""

FindBrain = Callable[[Volume], NDArray[np.bool_]]
"""Says which voxels of a volume, bool (k, j, i) on its grid, are brain; none if there is none."""


def extract_brain(volume: Volume, request: BrainExtraction, find: FindBrain) -> BrainMask:
    """Find the brain in a volume.

    With ``auto``, an image whose background holds one value and that shows no more than a brain
    is taken as already extracted, whatever lies in it; else ``find`` is asked. ``on`` asks it
    always, ``off`` never.

    :raises RunError: ``on``, and there is no brain.
    """
    background, share = _background(volume.array)
    if request is BrainExtraction.OFF:
        return whole_head(volume)
    shown = volume.array != background
    if request is BrainExtraction.AUTO and share >= EMPTY_SHARE:
        shown_ml = _millilitres(shown, volume)
        if shown_ml <= LARGEST_BRAIN_ML:
            return BrainMask(shown, BrainSource.STRIPPED, _words(background), share)
    found = find(volume)
    if _millilitres(found, volume) >= SMALLEST_BRAIN_ML:
        return BrainMask(found, BrainSource.NETWORK, "brain network", share)
    where, what = volume.name or "reference", "no brain was found in the image"
    if request is BrainExtraction.ON:
        raise RunError(what, where=where, remedy="give --brain-mask, or --brain-extraction off")
    warnings.warn(f"{where}: {what}; all of it was used", stacklevel=2)
    return whole_head(volume)


def given_brain(volume: Volume, mask: Volume) -> BrainMask:
    """Take a mask that the user gives; what is not 0 in it is brain.

    :param mask: on any grid in the same patient space.
    :raises InputError: its grid is none, or it holds nothing of the reference.
    """
    check_grid(mask.grid, mask.name or "brain mask")
    inside, _ = resample((mask.array != 0).astype(np.float32), mask.grid, volume.grid)
    if not (inside >= 0.5).any():
        raise InputError(
            f"no voxel of the brain mask lies in {volume.name or 'the reference'}",
            where=mask.name or "brain mask",
            remedy="give a mask in the space of the reference, not 0 in the brain",
        )
    share = _background(volume.array)[1]
    return BrainMask(inside >= 0.5, BrainSource.GIVEN, "mask given", share)


def whole_head(volume: Volume) -> BrainMask:
    """Take all that is not air, which is the brain where it is all that is shown."""
    foreground = find_foreground(volume.array)
    share = _background(volume.array)[1]
    return BrainMask(foreground.mask, BrainSource.HEAD, foreground.method, share)


def _background(array: Array) -> tuple[float, float]:
    """Value of what lies around the head, and the share of voxels that hold exactly it.

    It is 0 where that is frequent, else the value in the corner of the image.
    """
    zeros = 1.0 - np.count_nonzero(array) / array.size
    if zeros >= EMPTY_SHARE:
        return 0.0, zeros
    value = float(array[0, 0, 0])
    return value, float(np.count_nonzero(array == value) / array.size)


def _words(background: float) -> str:
    return "non-zero voxels" if background == 0 else f"voxels other than {background:g}"


def _millilitres(mask: NDArray[np.bool_], volume: Volume) -> float:
    return float(np.count_nonzero(mask)) * volume.grid.voxel_volume_mm3 / 1000.0
