from __future__ import annotations

import warnings

import numpy as np
import pytest
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.preprocessing.options import RegistrationMode
from BrainSegAccelLib.preprocessing.registration.align import align
from BrainSegAccelLib.preprocessing.registration.evidence import Decision
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.refine import SimpleItkRegistration
from BrainSegAccelLib.preprocessing.registration.rigid import Matrix
from BrainSegAccelLib.preprocessing.registration.settings import RegistrationSettings
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study

from .conftest import motion, scanned

MOVED = motion((12, -7, 10), (15, -10, 12))


class Always:
    """A registration that gives one answer, or one error."""

    settings = RegistrationSettings()

    def __init__(self, answer: Matrix | Exception, workers: int = 1) -> None:
        self.answer, self.workers, self.asked = answer, workers, 0

    def refine(self, fixed: Pyramid, moving: Pyramid, start: Matrix) -> Matrix:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def run(study: Study, registration=None, mode: str = "auto", **more):
    registration = registration or SimpleItkRegistration()
    return align(study, registration, RegistrationMode(mode), **more)


@pytest.fixture
def agreeing(contrasts) -> Study:
    return Study({Modality.T1C: contrasts[0], Modality.FLAIR: contrasts[1]})


@pytest.fixture
def apart(contrasts) -> Study:
    """T2 and FLAIR taken after the patient has moved."""
    return Study(
        {
            Modality.T1C: contrasts[0],
            Modality.T2: scanned(contrasts[1], MOVED, (1.0, 1.0, 4.0)),
            Modality.FLAIR: scanned(contrasts[1], MOVED),
        }
    )


def test_volumes_that_agree_are_left_alone(agreeing) -> None:
    registration = Always(MOVED)
    (flair,) = run(agreeing, registration).values()
    assert flair.decision is Decision.AGREES
    assert registration.asked == 0
    assert flair.same_grid
    assert flair.before is not None
    assert flair.after is None
    np.testing.assert_array_equal(flair.motion, np.eye(4))


def test_what_moved_is_brought_back(apart, error_mm) -> None:
    shares: list[float] = []
    found = run(apart, progress=shares.append)
    assert list(found) == [Modality.T2, Modality.FLAIR]
    assert shares == [0.5, 1.0]
    for alignment in found.values():
        assert alignment.decision is Decision.REGISTERED
        assert error_mm(np.linalg.inv(alignment.motion), MOVED) < 1.0
        assert alignment.after.similarity > alignment.before.similarity
        assert alignment.turned_deg == pytest.approx(17.0, abs=2.0)
        assert alignment.overlap > 0.9


def test_off_measures_nothing(apart) -> None:
    registration = Always(MOVED)
    found = run(apart, registration, "off")
    assert registration.asked == 0
    assert {a.decision for a in found.values()} == {Decision.OFF}
    assert all(a.before is None for a in found.values())


def test_a_scrap_of_a_head_is_left_where_it_is(four_modalities) -> None:
    registration = Always(MOVED)
    found = run(four_modalities, registration, "on")
    assert registration.asked == 0
    assert {a.decision for a in found.values()} == {Decision.TOO_SMALL}


def test_on_registers_what_agrees_too(agreeing) -> None:
    registration = Always(np.eye(4))
    (flair,) = run(agreeing, registration, "on").values()
    assert registration.asked == 1
    assert flair.after == flair.before
    assert flair.decision is Decision.AGREES


def test_a_wide_turn_is_found(contrasts, error_mm) -> None:
    far = motion((26, 22, -24), (5, 5, -5))
    study = Study({Modality.T1C: contrasts[0], Modality.T2: scanned(contrasts[1], far)})
    (found,) = run(study).values()
    assert found.decision is Decision.REGISTERED
    assert error_mm(np.linalg.inv(found.motion), far) < 0.5


def test_a_single_modality_has_nothing_to_align(contrasts) -> None:
    assert run(Study({Modality.T2: contrasts[0]}), Always(MOVED), "on") == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (motion((0, 0, 170), (0, 0, 0)), "mutual information would fall|implausible"),
        (motion((0, 0, 0), (150, 0, 0)), "mutual information would fall"),
        (RunError("BRAINSFit ended with an error"), "BRAINSFit ended"),
    ],
)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_result_worse_than_none_is_not_used(apart, answer, reason, workers) -> None:
    with pytest.warns(UserWarning, match=f"FLAIR: not registered onto T1c, .*({reason})"):
        found = run(apart, Always(answer, workers))
    for alignment in found.values():
        assert alignment.decision is Decision.REJECTED
        assert alignment.objection
        np.testing.assert_array_equal(alignment.motion, np.eye(4))


def test_two_different_heads_are_not_registered(contrasts) -> None:
    """Noise of the same shape is no anatomy in common."""
    rng = np.random.default_rng(9)
    array = contrasts[1].array
    noise = np.where(array != 0, rng.normal(300, 50, array.shape), 0).astype(np.float32)
    k, j, i = (slice(0, n * 2 // 3) for n in array.shape)
    strange = scanned(Volume(noise[k, j, i], contrasts[1].affine), MOVED)
    with pytest.warns(UserWarning, match="T2: not registered"):
        (found,) = run(Study({Modality.T1C: contrasts[0], Modality.T2: strange})).values()
    assert found.decision is Decision.REJECTED


def test_a_good_registration_warns_of_nothing(apart) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(apart)
