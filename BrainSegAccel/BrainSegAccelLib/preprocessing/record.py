"""What preprocessing did, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..modality import Modality
from ..volume import Grid


@dataclass(frozen=True)
class PreprocessingRecord:
    """What preprocessing did.

    :param reference: the modality on whose grid the result lies.
    :param resampled: modality -> True if its values were interpolated onto the model grid,
        False if they were only cropped.
    :param foreground: how the mask was found, e.g. ``"non-zero voxels"``.
    :param foreground_ml: its volume.
    :param model_grid: the 1 mm grid in patient space that the network saw.
    """

    reference: Modality
    resampled: Mapping[Modality, bool]
    foreground: str
    foreground_ml: float
    model_grid: Grid
