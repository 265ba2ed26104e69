"""Rigid registration with SimpleITK, from a start that is near."""

from __future__ import annotations

import SimpleITK as sitk

from .metric import mattes
from .pyramid import Pyramid
from .rigid import Matrix, matrix_of, transform_of
from .settings import RegistrationSettings


class SimpleItkRegistration:
    """The `Registration` of every run outside Slicer."""

    workers = 4

    def __init__(self, settings: RegistrationSettings | None = None) -> None:
        self.settings = settings or RegistrationSettings()

    def refine(self, fixed: Pyramid, moving: Pyramid, start: Matrix) -> Matrix:
        """Descend at each resolution in turn, see `protocol.Registration`."""
        transform = transform_of(start, fixed.centre)
        levels = zip(self.settings.levels_mm, self.settings.longest_steps_mm, strict=True)
        for mm, step_mm in levels:
            transform = descend(
                fixed.head(mm), moving.level(mm), transform, self.settings, step_mm=step_mm
            )
        return matrix_of(transform)


def descend(
    fixed: sitk.Image,
    moving: sitk.Image,
    start: sitk.Euler3DTransform,
    settings: RegistrationSettings,
    *,
    step_mm: float,
) -> sitk.Euler3DTransform:
    """Follow the similarity upwards from a start.

    :param start: fixed to moving, LPS mm; is left as it is.
    :param step_mm: the first step.
    :returns: fixed to moving; the start itself where the images do not meet.
    """
    method = mattes(settings.histogram_bins)
    share = settings.samples / fixed.GetNumberOfPixels()
    if share < 1.0:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, settings.seed)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm,
        minStep=settings.shortest_step_mm,
        numberOfIterations=settings.iterations,
        relaxationFactor=settings.relaxation,
        gradientMagnitudeTolerance=1e-8,
    )
    method.SetOptimizerScales([settings.lever_mm**2] * 3 + [1.0] * 3)
    transform = sitk.Euler3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # ITK gives up where too few voxels meet.
        return start
    return transform
