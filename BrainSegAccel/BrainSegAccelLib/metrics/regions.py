"""Dice and HD95 of the regions of a label scheme, by the conventions of the BraTS challenge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..geometry.bounding_box import bounding_box
from ..geometry.volume import Grid
from ..study.segmentation import Segmentation
from .dice import dice
from .hd95 import Mask, hd95


@dataclass(frozen=True)
class Scores:
    """Agreement of one region.

    :param dice: 0 to 1.
    :param hd95_mm: 95th percentile Hausdorff distance in mm; see `hd95` for empty masks.
    """

    dice: float
    hd95_mm: float
    predicted_ml: float
    reference_ml: float


def score(prediction: Segmentation, reference: Segmentation) -> Mapping[str, Scores]:
    """Return the scores of every region, by its identifier, in the order of the scheme.

    :param reference: on the same grid, of the same label scheme.
    :raises ValueError: if the shapes or the schemes differ.
    """
    found, expected, scheme = prediction.labels, reference.labels, reference.scheme
    if found.shape != expected.shape:
        raise ValueError(f"shapes differ: {found.shape} and {expected.shape}")
    if prediction.scheme != scheme:
        raise ValueError(f"label schemes differ: {prediction.scheme.name} and {scheme.name}")
    box = bounding_box((found > 0) | (expected > 0))
    if box is not None:
        found, expected = found[box], expected[box]
    return {
        region.identifier: score_masks(
            scheme.mask(found, region), scheme.mask(expected, region), reference.grid
        )
        for region in scheme.regions
    }


def score_masks(prediction: Mask, reference: Mask, grid: Grid) -> Scores:
    """Return the scores of one region.

    :param prediction: (k, j, i), on voxels of ``grid``, perhaps only some of them.
    :param reference: on the same voxels.
    """
    predicted, shown = (int(np.count_nonzero(mask)) for mask in (prediction, reference))
    return Scores(
        dice=dice(prediction, reference),
        hd95_mm=hd95(prediction, reference, grid.spacing),
        predicted_ml=predicted * grid.voxel_volume_mm3 / 1000.0,
        reference_ml=shown * grid.voxel_volume_mm3 / 1000.0,
    )
