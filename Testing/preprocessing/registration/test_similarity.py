from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.preprocessing.registration.align import DISTINCT, SAME_GRID_MM
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.settings import RegistrationSettings
from BrainSegAccelLib.preprocessing.registration.similarity import examine

from .conftest import motion

SETTINGS = RegistrationSettings()


@pytest.fixture(scope="module")
def pair(contrasts) -> tuple[Pyramid, Pyramid]:
    return Pyramid(contrasts[0]), Pyramid(contrasts[1])


def test_the_true_position_is_a_distinct_peak(pair) -> None:
    fit = examine(*pair, np.eye(4), SETTINGS)
    assert fit.offset_mm is not None
    assert fit.offset_mm < SAME_GRID_MM
    assert fit.distinctness > DISTINCT


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_distance_to_the_peak_is_estimated(pair, shift: float) -> None:
    fit = examine(*pair, motion((0, 0, 0), (shift, 0, 0)), SETTINGS)
    assert fit.offset_mm == pytest.approx(shift, abs=1.5)


def test_far_away_there_is_no_peak(pair) -> None:
    assert examine(*pair, motion((0, 0, 0), (9, 0, 0)), SETTINGS).offset_mm is None


def test_a_wrong_position_is_no_distinct_peak(pair) -> None:
    true = examine(*pair, np.eye(4), SETTINGS)
    wrong = examine(*pair, motion((0, 0, 170), (5, 0, 0)), SETTINGS)
    assert wrong.similarity < true.similarity
    assert wrong.distinctness < DISTINCT


def test_nothing_in_common_is_zero(pair) -> None:
    fit = examine(*pair, motion((0, 0, 0), (900, 0, 0)), SETTINGS)
    assert (fit.similarity, fit.distinctness, fit.offset_mm) == (0.0, 0.0, None)
