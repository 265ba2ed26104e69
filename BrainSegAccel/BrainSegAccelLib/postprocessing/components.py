"""Removing what is too small or too doubtful to be a lesion."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

SMALLEST_LESION_ML = 0.05
"""A sphere of 4.6 mm diameter: below it, a connected part is noise more often than a lesion."""


def remove_unlikely_components(
    labels: NDArray[np.uint8],
    probability: NDArray[np.float32],
    voxel_volume_mm3: float,
    smallest_ml: float = SMALLEST_LESION_ML,
    lowest_peak: float = 0.0,
) -> NDArray[np.uint8]:
    """Return the labels without connected tumour parts (26 neighbours) that are no lesions.

    :param labels: uint8 (k, j, i), 0 is background.
    :param probability: float32, same shape: of the whole tumour.
    :param voxel_volume_mm3: volume of one voxel.
    :param smallest_ml: parts of less than this volume, all labels together, are removed.
    :param lowest_peak: parts whose most probable voxel is less probable than this are removed.
    """
    smallest_voxels = int(np.ceil(smallest_ml * 1000.0 / voxel_volume_mm3 - 1e-6))
    tumour = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    parts = sitk.ConnectedComponent(tumour, True)
    large = sitk.RelabelComponent(parts, minimumObjectSize=max(smallest_voxels, 1))
    numbers = sitk.GetArrayViewFromImage(large)
    kept = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.uint8)
    kept[numbers[probability >= lowest_peak]] = 1
    kept[0] = 0
    return labels * kept[numbers]
