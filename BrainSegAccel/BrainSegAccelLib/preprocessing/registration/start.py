"""Where a registration starts: the best of many positions, in coarse voxels."""

from __future__ import annotations

from itertools import product

import numpy as np
import SimpleITK as sitk

from .pyramid import Pyramid
from .refine import descend
from .rigid import Matrix, matrix_of
from .settings import RegistrationSettings
from .similarity import mutual_information

LEVEL_MM = 8.0
TURNS_DEG = (-12.0, 0.0, 12.0)
"""Rotations about each axis that are tried; the descent reaches as far again beyond them."""
SLIDES_MM = (-25.0, 0.0, 25.0)
"""Shifts along S that are tried: how much neck a volume shows moves its centre of mass."""
SHIFTS_KEPT = 2
STARTS_KEPT = 4
BINS = 32
"""There are few voxels; more bins would be empty."""


def find_start(fixed: Pyramid, moving: Pyramid, settings: RegistrationSettings) -> Matrix:
    """Return the motion, fixed to moving, near which the two are most alike.

    Of the shifts given by the headers and by the centres of mass the best are turned in all ways;
    from the best of these, short descents decide.
    """
    still, other = fixed.head(LEVEL_MM), moving.level(LEVEL_MM)

    def value(transform: sitk.Euler3DTransform) -> float:
        return mutual_information(still, other, transform, BINS)

    def placed(turn: tuple[float, ...], shift: np.ndarray) -> sitk.Euler3DTransform:
        return sitk.Euler3DTransform(
            fixed.centre.tolist(), *np.radians(turn).tolist(), shift.tolist()
        )

    between = moving.centre - fixed.centre
    slides = [np.array([0.0, 0.0, s]) for s in SLIDES_MM]
    shifts = [base + slide for base in (np.zeros(3), between) for slide in slides]
    shifts.sort(key=lambda shift: -value(placed((0.0, 0.0, 0.0), shift)))
    turned = [
        placed(turn, shift)
        for shift in shifts[:SHIFTS_KEPT]
        for turn in product(TURNS_DEG, repeat=3)
    ]
    turned.sort(key=lambda transform: -value(transform))
    ends = [
        descend(still, other, start, settings, step_mm=settings.longest_steps_mm[0])
        for start in turned[:STARTS_KEPT]
    ]
    return matrix_of(max(ends, key=value))
