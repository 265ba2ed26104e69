"""What preprocessing did, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..geometry.volume import Grid
from ..study.modality import Modality
from .brain_mask import BrainSource
from .options import BrainExtraction, RegistrationMode
from .registration.evidence import Alignment


@dataclass(frozen=True)
class PreprocessingRecord:
    """What preprocessing did.

    :param reference: the modality on whose grid the result lies.
    :param registration: as asked for.
    :param alignment: modality -> how it was brought onto the reference; the reference itself and
        those that nobody asked about are not in it.
    :param resampled: modality -> True if its values were interpolated onto the model grid,
        False if they were only cropped.
    :param coverage: modality -> share of the mask in which it shows something.
    :param bias_corrected: whether a bias field was taken out of every modality.
    :param brain_extraction: as asked for.
    :param brain: where the mask of what the network was shown comes from.
    :param background_share: share of the reference's voxels that hold exactly the background's
        value.
    :param foreground: how the mask was found, e.g. ``"non-zero voxels"``.
    :param foreground_ml: its volume within the model grid.
    :param model_grid: the 1 mm grid in patient space that the network saw.
    """

    reference: Modality
    registration: RegistrationMode
    alignment: Mapping[Modality, Alignment]
    resampled: Mapping[Modality, bool]
    coverage: Mapping[Modality, float]
    bias_corrected: bool
    brain_extraction: BrainExtraction
    brain: BrainSource
    background_share: float
    foreground: str
    foreground_ml: float
    model_grid: Grid
