"""The result of a run: a label map in patient space."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..geometry.carried import Carried
from ..geometry.volume import Grid
from .label_scheme import LabelScheme


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A label map, where it lies and what its values mean.

    :param labels: uint8 in (k, j, i) = (z, y, x) order: values of the scheme, 0 for background.
    :param grid: where the labels lie, LPS mm; the reference volume's own grid.
    """

    labels: Annotated[NDArray[np.uint8], Carried]
    grid: Grid
    scheme: LabelScheme

    def __post_init__(self) -> None:
        if self.labels.shape != self.grid.shape:
            raise ValueError(f"labels {self.labels.shape} do not lie on grid {self.grid.shape}")

    def volume_ml(self, labels: Collection[int]) -> float:
        """Return the volume in millilitres of all voxels that carry one of the values."""
        count = sum(int(np.count_nonzero(self.labels == value)) for value in labels)
        return count * self.grid.voxel_volume_mm3 / 1000.0

    def volumes_ml(self) -> dict[str, float]:
        """Return millilitres by identifier of each label and of each region."""
        by_label = {label.identifier: self.volume_ml([label.value]) for label in self.scheme.labels}
        by_region = {
            region.identifier: self.volume_ml(region.labels) for region in self.scheme.regions
        }
        return by_label | by_region
