"""Dice and HD95 of tumour regions, by the conventions of the BraTS challenge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.bounding_box import bounding_box
from ..study.regions import Region
from .dice import dice
from .hd95 import Mask, Spacing, hd95

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Scores:
    """Agreement of one region.

    :param dice: 0 to 1.
    :param hd95_mm: 95th percentile Hausdorff distance in mm.
    """

    dice: float
    hd95_mm: float


def region_mask(labels: Labels, region: Region) -> Mask:
    """Return where a label map shows a region; label 4 is enhancing tumour (BraTS ≤ 2021)."""
    return np.isin(labels, list(region.labels))


def score(prediction: Labels, reference: Labels, spacing: Spacing) -> Mapping[Region, Scores]:
    """Return Dice and HD95 of every region.

    :param prediction: labels 0 to 4, (k, j, i).
    :param reference: labels of the same shape on the same grid.
    :param spacing: voxel size along (i, j, k) in mm, as `Grid.spacing`.
    :raises ValueError: if the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {reference.shape}")
    box = bounding_box((prediction > 0) | (reference > 0))
    if box is not None:
        prediction, reference = prediction[box], reference[box]
    scores = {}
    for region in Region:
        one, other = region_mask(prediction, region), region_mask(reference, region)
        scores[region] = Scores(dice(one, other), hd95(one, other, spacing))
    return scores
