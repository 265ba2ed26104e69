"""Removing what is too small or too doubtful to be a lesion."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray


def remove_unlikely_components(
    labels: NDArray[np.uint8],
    sure: NDArray[np.bool_],
    voxel_volume_mm3: float,
    smallest_ml: float,
) -> NDArray[np.uint8]:
    """Return the labels without connected tumour parts (26 neighbours) that are no lesions.

    :param labels: uint8 (k, j, i), 0 is background.
    :param sure: same shape; parts of which no voxel is sure are removed.
    :param voxel_volume_mm3: volume of one voxel.
    :param smallest_ml: parts of less than this volume, all labels together, are removed.
    """
    smallest_voxels = int(np.ceil(smallest_ml * 1000.0 / voxel_volume_mm3 - 1e-6))
    tumour = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    parts = sitk.ConnectedComponent(tumour, True)
    large = sitk.RelabelComponent(parts, minimumObjectSize=max(smallest_voxels, 1))
    numbers = sitk.GetArrayViewFromImage(large)
    kept = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.uint8)
    kept[numbers[sure]] = 1
    kept[0] = 0
    return labels * kept[numbers]
