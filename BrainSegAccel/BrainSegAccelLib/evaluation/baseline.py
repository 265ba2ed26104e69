"""The whole tumour that no network is needed for: what every figure has to be compared with."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..geometry.resampling import resample
from ..geometry.volume import Array, Volume
from ..metrics.hd95 import Mask
from ..metrics.regions import Scores, score_masks
from ..preprocessing.foreground import find_foreground
from ..preprocessing.normalisers.z_score import z_score
from ..study.segmentation import Segmentation

SIGMA_VOXELS = 1.0
THRESHOLD = 1.0


def bright_on_flair(flair: Array) -> Mask:
    """Return the largest connected part that is bright on FLAIR.

    Normalised over the brain (the head, where the skull is on), smoothed by `SIGMA_VOXELS`, above
    `THRESHOLD` standard deviations inside the brain; face neighbours are connected.

    :param flair: float32 (k, j, i), not constant.
    :returns: bool (k, j, i); empty if nothing is that bright.
    """
    brain = find_foreground(flair).mask
    image = sitk.GetImageFromArray(z_score(flair, brain))
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, SIGMA_VOXELS))
    bright = sitk.GetImageFromArray(((smooth > THRESHOLD) & brain).astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(bright))
    return sitk.GetArrayFromImage(parts) == 1


def evaluate_baseline(flair: Volume, truth: Segmentation) -> Scores:
    """Compare the bright part of FLAIR with all of the tumour of a reference, on its grid."""
    found = bright_on_flair(resample(flair.array, flair.grid, truth.grid)[0])
    expected = truth.scheme.mask(truth.labels, truth.scheme.whole)
    return score_masks(found, expected, truth.grid)
