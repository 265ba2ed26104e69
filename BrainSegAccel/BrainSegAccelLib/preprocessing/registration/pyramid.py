"""A volume at the resolutions that registration looks at."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ...geometry.resampling import to_image
from ...geometry.volume import Volume
from ..foreground import find_foreground

HEAD_MM = 4.0
"""Voxel size at which the head is looked for."""
MARGIN_MM = 12.0
"""Air that is kept around the head: its border is what a coarse registration goes by."""
PERCENTILES = (0.5, 99.5)


class Pyramid:
    """A volume in coarser voxels, means of its own, with outliers clamped and the head found.

    :param volume: not constant.
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._image = to_image(volume.array, volume.grid)
        coarse = _binned(self._image, HEAD_MM)
        values = sitk.GetArrayViewFromImage(coarse)
        mask = find_foreground(np.asarray(values)).mask
        self._range = (
            float(np.percentile(values, PERCENTILES[0])),
            float(np.percentile(values[mask], PERCENTILES[1])),
        )
        ijk = np.argwhere(mask)[:, ::-1]
        self.centre = np.array(coarse.TransformContinuousIndexToPhysicalPoint(ijk.mean(axis=0)))
        """Centre of mass of the head, (3,) LPS mm."""
        inner = ijk[:: max(1, len(ijk) // 2000)].astype(float)
        self.points = np.array([coarse.TransformContinuousIndexToPhysicalPoint(p) for p in inner])
        """Points of the head, (n, 3) LPS mm."""
        self._corners = [
            coarse.TransformContinuousIndexToPhysicalPoint((ijk.min(axis=0) - 0.5).tolist()),
            coarse.TransformContinuousIndexToPhysicalPoint((ijk.max(axis=0) + 0.5).tolist()),
        ]
        self._levels: dict[float, sitk.Image] = {}

    def level(self, mm: float) -> sitk.Image:
        """Return the whole volume in voxels of about this size; larger ones stay as they are."""
        if mm not in self._levels:
            self._levels[mm] = sitk.Clamp(_binned(self._image, mm), sitk.sitkFloat32, *self._range)
        return self._levels[mm]

    def head(self, mm: float) -> sitk.Image:
        """Return `level` cropped to the box of the head and `MARGIN_MM` around it."""
        level = self.level(mm)
        ends = np.array([level.TransformPhysicalPointToContinuousIndex(c) for c in self._corners])
        margin = MARGIN_MM / np.array(level.GetSpacing())
        first = np.maximum(np.floor(ends.min(axis=0) - margin), 0).astype(int)
        last = np.minimum(np.ceil(ends.max(axis=0) + margin) + 1, level.GetSize()).astype(int)
        i, j, k = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return level[i, j, k]


def _binned(image: sitk.Image, mm: float) -> sitk.Image:
    factors = [max(1, round(mm / spacing)) for spacing in image.GetSpacing()]
    size = image.GetSize()
    return sitk.BinShrink(image, [min(f, n) for f, n in zip(factors, size, strict=True)])
