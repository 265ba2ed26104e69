"""Dice and HD95 of the regions of a label scheme, by the conventions of the BraTS challenge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..geometry.bounding_box import bounding_box
from ..study.segmentation import Segmentation
from .dice import dice
from .hd95 import hd95


@dataclass(frozen=True)
class Scores:
    """Agreement of one region.

    :param dice: 0 to 1.
    :param hd95_mm: 95th percentile Hausdorff distance in mm.
    """

    dice: float
    hd95_mm: float


def score(prediction: Segmentation, reference: Segmentation) -> Mapping[str, Scores]:
    """Return Dice and HD95 of every region, by its identifier.

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
    scores = {}
    for region in scheme.regions:
        one, other = scheme.mask(found, region), scheme.mask(expected, region)
        distance = hd95(one, other, reference.grid.spacing)
        scores[region.identifier] = Scores(dice(one, other), distance)
    return scores
