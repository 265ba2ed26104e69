"""Mattes mutual information as ITK has it, set up the one way that all of this goes by."""

from __future__ import annotations

import SimpleITK as sitk


def mattes(bins: int) -> sitk.ImageRegistrationMethod:
    """Return a method with the metric and linear interpolation, nothing else.

    :param bins: of the joint histogram, along each axis.
    """
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(bins)
    method.SetInterpolator(sitk.sitkLinear)
    # ITK would take gradients of an image smoothed by its thickest slices, which may point down.
    method.MetricUseMovingImageGradientFilterOff()
    # Sums of several work units differ from run to run, and one thread alone still cuts the work
    # into several.
    method.SetNumberOfWorkUnits(1)
    return method
