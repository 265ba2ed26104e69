"""Removing what is too small to be a lesion."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

SMALLEST_LESION_ML = 0.05
"""A sphere of 4.6 mm diameter: below it, a connected part is noise more often than a lesion."""


def remove_small_components(
    labels: NDArray[np.uint8], voxel_volume_mm3: float, smallest_ml: float = SMALLEST_LESION_ML
) -> NDArray[np.uint8]:
    """Return the labels without connected tumour parts (26 neighbours) below a volume.

    :param labels: uint8 (k, j, i), 0 is background.
    :param voxel_volume_mm3: volume of one voxel.
    :param smallest_ml: parts of less than this volume, all labels together, are removed.
    """
    smallest_voxels = int(np.ceil(smallest_ml * 1000.0 / voxel_volume_mm3 - 1e-6))
    tumour = sitk.GetImageFromArray((labels > 0).astype(np.uint8))
    parts = sitk.ConnectedComponent(tumour, True)
    kept = sitk.RelabelComponent(parts, minimumObjectSize=max(smallest_voxels, 1))
    return labels * (sitk.GetArrayViewFromImage(kept) > 0)
