from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.refine import SimpleItkRegistration
from BrainSegAccelLib.preprocessing.registration.settings import RegistrationSettings
from BrainSegAccelLib.preprocessing.registration.start import find_start

from .conftest import head, motion, scanned

SETTINGS = RegistrationSettings()


def register(fixed: Pyramid, moving: Pyramid) -> np.ndarray:
    start = find_start(fixed, moving, SETTINGS)
    return SimpleItkRegistration(SETTINGS).refine(fixed, moving, start)


@pytest.mark.parametrize(
    ("turns", "shift"),
    [((15, -15, 15), (20, 20, -20)), ((-15, 8, -11), (-20, 3, 20)), ((0, 0, 0), (0.4, 0, 0))],
)
def test_a_known_motion_is_found(contrasts, error_mm, turns, shift) -> None:
    fixed, other = contrasts
    true = motion(turns, shift)
    found = register(Pyramid(fixed), Pyramid(scanned(other, true)))
    assert error_mm(found, true) < 0.5


def test_thick_slices_and_air_that_is_not_zero(error_mm) -> None:
    true = motion((9, -6, 12), (10, -12, 8))
    moving = scanned(head(1, air=20.0), true, spacing=(1.0, 1.0, 5.5))
    found = register(Pyramid(head(0, air=20.0)), Pyramid(moving))
    assert error_mm(found, true) < 1.0


def test_between_thick_slices_the_descent_does_not_leave_the_truth(error_mm) -> None:
    """ITK's own gradients, smoothed by the thickness of a slice, would lead 0.8 mm away."""
    true, thick = motion((9, -6, 12), (10, -12, 8)), (1.0, 1.0, 5.5)
    fixed = Pyramid(scanned(head(0, air=20.0), np.eye(4), thick))
    moving = Pyramid(scanned(head(1, air=20.0), true, thick))
    assert error_mm(SimpleItkRegistration().refine(fixed, moving, true), true) < 0.5


def test_the_same_result_every_time(contrasts) -> None:
    fixed, other = contrasts
    moving = scanned(other, motion((5, 3, -8), (4, 7, -2)))
    first = register(Pyramid(fixed), Pyramid(moving))
    np.testing.assert_array_equal(first, register(Pyramid(fixed), Pyramid(moving)))


def test_volumes_that_do_not_meet_leave_the_start(contrasts) -> None:
    fixed, other = contrasts
    far = motion((0, 0, 0), (900, 0, 0))
    found = SimpleItkRegistration().refine(Pyramid(fixed), Pyramid(other), far)
    np.testing.assert_allclose(found, far, atol=1e-9)
