"""The result of a run: a label map in patient space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.volume import Grid
from .regions import Label, Region


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels 0 background, 1 necrotic core, 2 oedema, 3 enhancing tumour.

    :param labels: uint8 in (k, j, i) = (z, y, x) order.
    :param grid: where the labels lie, LPS mm; the reference volume's own grid.
    """

    labels: NDArray[np.uint8]
    grid: Grid

    def __post_init__(self) -> None:
        if self.labels.shape != self.grid.shape:
            raise ValueError(f"labels {self.labels.shape} do not lie on grid {self.grid.shape}")

    def volume_ml(self, *labels: int) -> float:
        """Volume in millilitres of all voxels that carry one of the labels."""
        count = sum(int(np.count_nonzero(self.labels == value)) for value in labels)
        return count * self.grid.voxel_volume_mm3 / 1000.0

    def volumes_ml(self) -> dict[str, float]:
        """Volume in millilitres of each label (lower-case name) and each region (ET, TC, WT)."""
        tumour = [label for label in Label if label is not Label.BACKGROUND]
        by_label = {label.name.lower(): self.volume_ml(label) for label in tumour}
        by_region = {str(region): self.volume_ml(*region.labels) for region in Region}
        return by_label | by_region
