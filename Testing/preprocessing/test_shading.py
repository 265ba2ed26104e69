"""Broad shading goes; lesions, scale and what is not a head stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.preprocessing.shading import remove_shading
from BrainSegAccelLib.study.modality import Modality
from numpy.typing import NDArray

SHAPE = (72, 88, 72)
VOXEL = 2.0
SPACING = (VOXEL, VOXEL, VOXEL)
_Z, _Y, _X = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij", sparse=True)
BRAIN = np.asarray((_Z / 0.9) ** 2 + (_Y / 0.95) ** 2 + (_X / 0.9) ** 2 < 1)
LESION = np.asarray((_Z - 0.3) ** 2 + (_Y + 0.3) ** 2 + (_X - 0.4) ** 2 < 0.35**2) & BRAIN
FIELD = np.exp(-0.35 * _Z + 0.2 * _Y - 0.25 * _Z * _Z + 0.15 * _X * _Y)
"""Three to one from the brightest to the darkest place of the brain."""


def head(modality: Modality, lesion: float = 1.0) -> NDArray[np.float32]:
    """Two tissues in folds, some fluid, noise; the lesion's intensity is of white matter's."""
    rng = np.random.default_rng(3)
    folds = np.sin(9 * _Z) * np.sin(11 * _Y) * np.sin(8 * _X)
    grey, fluid = (0.75, 0.3) if modality in (Modality.T1, Modality.T1C) else (1.25, 2.4)
    image = np.where(folds > 0.1, grey, 1.0)
    image[np.asarray(np.abs(folds) > 0.8)] = fluid
    image[LESION] = lesion
    image *= 1 + 0.05 * rng.standard_normal(SHAPE)
    return np.where(BRAIN, 400 * image, 0).astype(np.float32)


def deviation(image: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Standard deviation of the logarithm of their ratio over the brain, large lesion aside."""
    place = BRAIN & ~LESION
    return float(np.log(image[place] / expected[place]).std())


@pytest.mark.parametrize("modality", [Modality.T1, Modality.T1C, Modality.FLAIR])
def test_a_field_of_three_to_one_is_taken_out(modality: Modality) -> None:
    even = head(modality)
    uneven = (even * FIELD).astype(np.float32)
    assert deviation(uneven, even) > 0.15
    assert deviation(remove_shading(uneven, BRAIN, SPACING, modality), even) < 0.04


@pytest.mark.parametrize(
    ("modality", "lesion"),
    [(Modality.T1, 0.6), (Modality.T1C, 0.6), (Modality.T2, 1.9), (Modality.FLAIR, 1.9)],
)
def test_a_large_lesion_is_not_taken_for_shading(modality: Modality, lesion: float) -> None:
    sick = head(modality, lesion)
    corrected = remove_shading(sick, BRAIN, SPACING, modality)
    assert deviation(corrected, sick) < 0.05
    inside = np.median(corrected[LESION]) / np.median(corrected[BRAIN & ~LESION])
    before = np.median(sick[LESION]) / np.median(sick[BRAIN & ~LESION])
    assert inside == pytest.approx(before, rel=0.06)


def test_of_t2_the_slope_is_taken_out_and_nothing_else() -> None:
    even = head(Modality.T2)
    slope, bend = np.exp(-0.35 * _Z + 0.2 * _Y), np.exp(-0.25 * _Z * _Z)
    sloping, bent = ((even * field).astype(np.float32) for field in (slope, bend))
    assert deviation(sloping, even) > 0.15
    assert deviation(remove_shading(sloping, BRAIN, SPACING, Modality.T2), even) < 0.04
    assert deviation(remove_shading(bent, BRAIN, SPACING, Modality.T2), bent) < 0.02


def test_the_scale_of_a_scanner_stays() -> None:
    image = (head(Modality.T1) * FIELD).astype(np.float32)
    once, scaled = (remove_shading(i, BRAIN, SPACING, Modality.T1) for i in (image, 7 * image))
    np.testing.assert_allclose(scaled, 7 * once, rtol=1e-3)
    ratio = np.log(once[BRAIN] / image[BRAIN])
    assert abs(ratio.mean()) < 0.02


def test_what_is_not_shown_stays_unshown() -> None:
    image = head(Modality.FLAIR)
    image[:20] = np.nan
    corrected = remove_shading(image, BRAIN, SPACING, Modality.FLAIR)
    np.testing.assert_array_equal(np.isnan(corrected), np.isnan(image))
    assert not corrected[20:][~BRAIN[20:]].any()


def test_voxels_are_of_any_size() -> None:
    image = (head(Modality.T1) * FIELD).astype(np.float32)
    fine = image.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    mask = BRAIN.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    at1 = remove_shading(fine, mask, (VOXEL / 2,) * 3, Modality.T1)[::2, ::2, ::2]
    at2 = remove_shading(image, BRAIN, SPACING, Modality.T1)
    np.testing.assert_allclose(at1[BRAIN], at2[BRAIN], rtol=0.03)


@pytest.mark.parametrize("shape", [(5, 5, 5), (2, 400, 400), (1, 300, 300)])
def test_too_little_to_fit_is_left_alone(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 3.0, dtype=np.float32)
    image[..., ::7] = 5
    corrected = remove_shading(image, np.ones(shape, dtype=bool), (4.0,) * 3, Modality.T1)
    if min(shape) > 1 and image.size > 500:
        assert np.isfinite(corrected).all()
    else:
        np.testing.assert_array_equal(corrected, image)
