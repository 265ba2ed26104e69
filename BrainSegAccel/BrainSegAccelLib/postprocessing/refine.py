"""Labelling again at other thresholds, from probabilities that were resampled once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.roi import Roi
from ..geometry.volume import Box, Grid
from ..study.regions import Region
from ..study.segmentation import Segmentation
from .components import SMALLEST_LESION_ML, remove_unlikely_components
from .regions_to_labels import DEFAULT_THRESHOLDS, labels_from_probabilities

LOWEST_THRESHOLD = 0.05
"""Where whole tumour is less probable than this, nothing is kept: no threshold is lower."""

PEAK_ODDS = 20.0
"""At the usual threshold of 0.5, a part must reach a probability of 0.95 somewhere. Chosen on
synthetic cases: many false parts stay below, and hardly any true one."""


@dataclass(frozen=True)
class Refinement:
    """What can be set about the labels without running the network again.

    :param thresholds: a voxel belongs to a region where its probability is above this,
        `LOWEST_THRESHOLD` to 1.
    :param smallest_ml: connected tumour parts of less than this volume are removed.
    :param peak_odds: how many times the odds of the whole tumour's threshold the most probable
        voxel of a connected part must have, or the part is removed; 1 removes none. Odds, so that
        a lower threshold finds weaker parts too.
    :raises ValueError: a threshold that is missing or out of its range; a volume below 0; odds
        below 1 or without end.
    """

    thresholds: Mapping[Region, float] = field(default_factory=lambda: dict(DEFAULT_THRESHOLDS))
    smallest_ml: float = SMALLEST_LESION_ML
    peak_odds: float = PEAK_ODDS

    def __post_init__(self) -> None:
        if set(self.thresholds) != set(Region) or not all(
            LOWEST_THRESHOLD <= threshold <= 1.0 for threshold in self.thresholds.values()
        ):
            raise ValueError(f"one threshold a region from {LOWEST_THRESHOLD} to 1, not {self}")
        if not self.smallest_ml >= 0.0:
            raise ValueError(f"the smallest lesion cannot have {self.smallest_ml} ml")
        if not 1.0 <= self.peak_odds < math.inf:
            raise ValueError(f"a peak cannot have {self.peak_odds} times the threshold's odds")

    @property
    def lowest_peak(self) -> float:
        """Probability of whole tumour that each connected part reaches somewhere."""
        threshold = self.thresholds[Region.WT]
        odds = self.peak_odds * threshold
        return odds / (odds + (1.0 - threshold))


@dataclass(frozen=True, eq=False)
class KeptProbabilities:
    """Probabilities on the grid of the labels, in a box that holds all that can be tumour.

    :param values: float32 (3, k, j, i) of ET, TC, WT on ``box``; what lies outside of it counts
        as zero. The box is empty where there is no tumour.
    :param box: (k, j, i) slices into ``grid``.
    :param grid: the reference volume's own grid.
    """

    values: NDArray[np.float32]
    box: Box
    grid: Grid

    @classmethod
    def nothing(cls, grid: Grid) -> KeptProbabilities:
        """No tumour anywhere."""
        return cls(np.zeros((3, 0, 0, 0), dtype=np.float32), (slice(0, 0),) * 3, grid)


def refine(kept: KeptProbabilities, refinement: Refinement) -> Segmentation:
    """Label the native grid from probabilities that lie on it.

    :returns: labels on ``kept.grid``; only the box is touched, so this is fast enough for a slider.
    """
    labels = np.zeros(kept.grid.shape, dtype=np.uint8)
    if kept.values.size:
        found = labels_from_probabilities(kept.values, refinement.thresholds)
        labels[kept.box] = remove_unlikely_components(
            found,
            kept.values[2],
            kept.grid.voxel_volume_mm3,
            refinement.smallest_ml,
            refinement.lowest_peak,
        )
    return Segmentation(labels, kept.grid)


def merge(base: KeptProbabilities, inside: KeptProbabilities, roi: Roi) -> KeptProbabilities:
    """Take one result inside of a region of interest and another outside of it.

    :param base: counts where the centre of a voxel lies outside of ``roi``.
    :param inside: counts within; on the same grid.
    :raises InputError: the two lie on different grids.
    """
    if not base.grid.same_as(inside.grid):
        raise InputError(
            "lies on another grid", where="the earlier result", remedy="run on the whole head first"
        )
    boxes = [kept.box for kept in (base, inside) if kept.values.size]
    if not boxes:
        return base
    spans = [
        slice(min(s.start for s in along), max(s.stop for s in along))
        for along in zip(*boxes, strict=True)
    ]
    box = (spans[0], spans[1], spans[2])
    within = roi.mask(base.grid.part(box))
    values = np.where(within, _on(box, inside), _on(box, base))
    return KeptProbabilities(values, box, base.grid)


def _on(box: Box, kept: KeptProbabilities) -> NDArray[np.float32]:
    """Return the values on a larger box."""
    values = np.zeros((3, *(s.stop - s.start for s in box)), dtype=np.float32)
    if kept.values.size:
        place = tuple(
            slice(s.start - outer.start, s.stop - outer.start)
            for s, outer in zip(kept.box, box, strict=True)
        )
        values[(slice(None), *place)] = kept.values
    return values
