"""Slow changes of brightness across an image, as receive coils leave them, taken out."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..geometry.volume import Array

SHRINK = 8
"""The field is smooth, so it is fitted to means of blocks of this many voxels a side."""
ITERATIONS = (50, 40, 30)
"""At each of the resolutions of the field's spline; with fewer, N4 stops half-way."""


def correct_bias(array: Array, mask: NDArray[np.bool_]) -> Array:
    """Divide an image by its bias field, N4.

    Tustison et al. 2010, "N4ITK: improved N3 bias correction", doi 10.1109/TMI.2010.2046908.

    :param array: float32 (k, j, i), cubic voxels, NaN where there is no value.
    :param mask: bool, same shape, over which the field is fitted.
    :returns: the image over the field, the same mean over the mask; as it was where the mask holds
        nothing positive, since the field is one of factors.
    """
    fitted = mask & (array > 0.0)
    if not fitted.any():
        return array
    image = sitk.GetImageFromArray(np.where(fitted, array, 0.0).astype(np.float32))
    shape = sitk.GetImageFromArray(fitted.astype(np.float32))
    whole_blocks = sitk.BinShrink(shape, [SHRINK] * 3) > 0.999
    if not sitk.GetArrayViewFromImage(whole_blocks).any():
        return array
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(ITERATIONS)
    n4.Execute(sitk.BinShrink(image, [SHRINK] * 3), whole_blocks)
    corrected = array / np.exp(sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(image)))
    scale = array[fitted].mean(dtype=np.float64) / corrected[fitted].mean(dtype=np.float64)
    return (corrected * np.float32(scale)).astype(np.float32)
