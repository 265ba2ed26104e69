from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError, RunError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.preprocessing.brain_extraction import extract_brain, given_brain
from BrainSegAccelLib.preprocessing.brain_mask import BrainSource
from BrainSegAccelLib.preprocessing.foreground import find_foreground
from BrainSegAccelLib.preprocessing.options import BrainExtraction

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
"""4 mm voxels: a ball of 16 voxels' radius holds 1098 ml, one of 25 holds 4189 ml."""


def ball(radius: float, size: int = 56) -> np.ndarray:
    k, j, i = np.indices((size, size, size)) - size / 2
    return k**2 + j**2 + i**2 < radius**2


def image(inside: np.ndarray, background: np.ndarray | float) -> Volume:
    rng = np.random.default_rng(0)
    tissue = rng.normal(100.0, 10.0, inside.shape)
    return Volume(np.where(inside, tissue, background).astype(np.float32), AFFINE, "t1c.nii.gz")


def noisy_head() -> Volume:
    noise = np.abs(np.random.default_rng(1).normal(3.0, 2.0, (56, 56, 56)))
    return image(ball(25), noise)


class Finder:
    """Answers with a fixed mask and counts how often it is asked."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask, self.asked = mask, 0

    def __call__(self, volume: Volume) -> np.ndarray:
        self.asked += 1
        return self.mask


@pytest.fixture
def finder() -> Finder:
    return Finder(ball(17))


@pytest.mark.parametrize("background", [0.0, -1.5])
def test_an_extracted_brain_is_taken_as_it_is(finder: Finder, background: float) -> None:
    volume = image(ball(16), background)
    found = extract_brain(volume, BrainExtraction.AUTO, finder)
    assert found.source is BrainSource.STRIPPED
    assert found.background_share == pytest.approx(1 - ball(16).mean())
    np.testing.assert_array_equal(found.mask, ball(16))
    assert finder.asked == 0


def test_an_extracted_brain_is_masked_as_without_extraction(finder: Finder) -> None:
    volume = image(ball(16), 0.0)
    usual = find_foreground(volume.array)
    found = extract_brain(volume, BrainExtraction.AUTO, finder)
    np.testing.assert_array_equal(found.mask, usual.mask)
    assert found.method == usual.method


@pytest.mark.parametrize("volume", [noisy_head(), image(ball(25), 0.0)], ids=["noise", "zeros"])
def test_a_head_has_its_brain_found(finder: Finder, volume: Volume) -> None:
    found = extract_brain(volume, BrainExtraction.AUTO, finder)
    assert found.source is BrainSource.NETWORK
    assert found.mask is finder.mask


def test_the_network_is_asked_as_the_user_wants(finder: Finder) -> None:
    stripped = image(ball(16), 0.0)
    assert extract_brain(stripped, BrainExtraction.ON, finder).source is BrainSource.NETWORK
    off = extract_brain(noisy_head(), BrainExtraction.OFF, finder)
    assert off.source is BrainSource.HEAD
    assert off.mask.sum() == pytest.approx(ball(25).sum(), rel=0.02)
    assert finder.asked == 1


def test_a_head_without_a_brain_is_used_whole_and_said_so() -> None:
    nothing = Finder(np.zeros((56, 56, 56), dtype=bool))
    with pytest.warns(UserWarning, match=r"t1c\.nii\.gz: no brain was found"):
        found = extract_brain(noisy_head(), BrainExtraction.AUTO, nothing)
    assert found.source is BrainSource.HEAD
    assert found.mask.any()
    with pytest.raises(RunError, match=r"no brain was found.*--brain-mask"):
        extract_brain(noisy_head(), BrainExtraction.ON, nothing)


def test_a_given_mask_is_brought_onto_the_reference() -> None:
    coarse = Volume(ball(8, size=28) * 7.0, np.diag([8.0, 8.0, 8.0, 1.0]))
    found = given_brain(noisy_head(), coarse)
    assert found.source is BrainSource.GIVEN
    overlap = 2 * (found.mask & ball(16)).sum() / (found.mask.sum() + ball(16).sum())
    assert overlap > 0.9


def test_a_given_mask_elsewhere_is_refused() -> None:
    there = AFFINE.copy()
    there[:3, 3] = 5000.0
    with pytest.raises(InputError, match=r"mask\.nii\.gz: no voxel of the brain mask lies in t1c"):
        given_brain(noisy_head(), Volume(ball(16), there, "mask.nii.gz"))
