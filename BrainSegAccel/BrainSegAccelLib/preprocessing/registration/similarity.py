"""How alike two volumes are at a relative position, and whether that is the best one around."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .evidence import Fit
from .metric import mattes
from .pyramid import Pyramid
from .rigid import Matrix, transform_of
from .settings import RegistrationSettings

LEVEL_MM = 4.0
"""Voxel size at which the similarity is told."""
AROUND_MM = 8.0
"""Voxel size at which positions around are compared, and how far away they are."""


def mutual_information(
    fixed: sitk.Image, moving: sitk.Image, to_moving: sitk.Transform, bins: int
) -> float:
    """Return Mattes mutual information in nats over the voxels of the fixed image; 0 for none.

    :param to_moving: maps a point of the fixed image to one of the moving image, LPS mm.
    """
    method = mattes(bins)
    method.SetInitialTransform(to_moving)
    try:
        return -method.MetricEvaluate(fixed, moving)
    except RuntimeError:  # ITK has no value where too few voxels meet.
        return 0.0


def examine(
    fixed: Pyramid, moving: Pyramid, to_moving: Matrix, settings: RegistrationSettings
) -> Fit:
    """Compare two volumes at a position and at twelve around it.

    Along each of the six degrees of freedom the position is moved by `AROUND_MM` to either side;
    a parabola through the three values says how far away the peak is.
    """
    bins = settings.histogram_bins
    place = transform_of(to_moving, fixed.centre)
    similarity = mutual_information(fixed.head(LEVEL_MM), moving.level(LEVEL_MM), place, bins)
    still, other = fixed.head(AROUND_MM), moving.level(AROUND_MM)

    def beside(axis: int, step: float) -> float:
        parameters = list(place.GetParameters())
        parameters[axis] += step
        moved = sitk.Euler3DTransform(place)
        moved.SetParameters(parameters)
        return mutual_information(still, other, moved, bins)

    here = mutual_information(still, other, place, bins)
    steps = [AROUND_MM / settings.lever_mm] * 3 + [AROUND_MM] * 3
    around = np.array(
        [[beside(axis, -step), beside(axis, step)] for axis, step in enumerate(steps)]
    )
    distinctness = float((here - around).mean() / here) if here > 0.0 else 0.0
    if (around >= here).any():
        return Fit.of(similarity, distinctness, None)
    offsets = 0.5 * AROUND_MM * (around[:, 0] - around[:, 1]) / (around.sum(axis=1) - 2.0 * here)
    return Fit.of(similarity, distinctness, float(np.linalg.norm(offsets)))
