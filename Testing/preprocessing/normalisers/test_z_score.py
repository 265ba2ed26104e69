from __future__ import annotations

import numpy as np
import pytest
import torch
from BrainSegAccelLib.preprocessing.normalisers.z_score import z_score
from BrainSegAccelLib.training import normalisation as in_training
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

MASK = np.zeros((4, 4, 4), dtype=bool)
MASK[1:, 1:, :] = True


@given(
    hnp.arrays(np.float32, (4, 4, 4), elements=st.floats(-1000, 1000, width=32)),
    st.floats(0.125, 100, width=32),
    st.floats(-500, 500, width=32),
)
def test_scale_and_offset_of_the_scanner_do_not_matter(
    array: np.ndarray, scale: float, offset: float
) -> None:
    assume(array[MASK].std() >= 1.0)
    changed = (array * np.float32(scale) + np.float32(offset)).astype(np.float32)
    np.testing.assert_allclose(z_score(array, MASK), z_score(changed, MASK), atol=0.02)


def test_zero_mean_unit_deviation_inside_zero_outside() -> None:
    array = np.random.default_rng(0).normal(300, 40, (20, 20, 20)).astype(np.float32)
    mask = np.zeros_like(array, dtype=bool)
    mask[2:18, 2:18, 2:18] = True
    result = z_score(array, mask)
    assert not result[~mask].any()
    assert abs(result[mask].mean()) < 1e-4
    assert abs(result[mask].std() - 1.0) < 1e-3


def test_an_outlier_is_clipped() -> None:
    array = np.random.default_rng(0).normal(300, 40, (20, 20, 20)).astype(np.float32)
    spiked = array.copy()
    spiked[3, 3, 3] = 1e6
    mask = np.ones_like(array, dtype=bool)
    assert z_score(spiked, mask).max() < 4.0


@pytest.mark.parametrize("scale", [1e-7, 1e7])
def test_any_scale_of_the_scanner(scale: float) -> None:
    array = np.random.default_rng(0).normal(3, 1, (20, 20, 20)).astype(np.float32)
    mask = np.ones_like(array, dtype=bool)
    scaled = (array * scale).astype(np.float32)
    np.testing.assert_allclose(z_score(scaled, mask), z_score(array, mask), atol=1e-4)


def test_where_the_image_ends_is_zero_and_does_not_count() -> None:
    array = np.random.default_rng(0).normal(300, 40, (20, 20, 20)).astype(np.float32)
    mask = np.ones_like(array, dtype=bool)
    cut = array.copy()
    cut[:8] = np.nan
    mask_of_rest = mask.copy()
    mask_of_rest[:8] = False
    np.testing.assert_array_equal(z_score(cut, mask), z_score(array, mask_of_rest))


def test_nothing_inside_gives_zeros() -> None:
    assert not z_score(np.ones((4, 4, 4), dtype=np.float32), np.zeros((4, 4, 4), dtype=bool)).any()


def test_a_constant_inside_gives_zeros() -> None:
    assert not z_score(np.full((4, 4, 4), 7.1, dtype=np.float32), MASK).any()


def test_training_normalises_alike() -> None:
    array = np.random.default_rng(1).gamma(2.0, 50.0, (12, 13, 14)).astype(np.float32)
    mask = array > 20
    trained = in_training.normalise(torch.from_numpy(array), torch.from_numpy(mask))
    np.testing.assert_allclose(z_score(array, mask), trained.numpy(), atol=1e-4)
