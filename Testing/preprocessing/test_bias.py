from __future__ import annotations

import numpy as np
from BrainSegAccelLib.preprocessing.bias import correct_bias

SHAPE = (64, 72, 60)


def _tissue_and_field() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two tissues in an ellipsoid, a field that doubles across it, and the mask."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    rng = np.random.default_rng(0)
    tissue = np.where(np.sin(9 * x) * np.cos(8 * y) * np.cos(7 * z) > 0, 300.0, 200.0)
    field = np.exp(0.35 * x + 0.2 * y**2)
    return tissue + rng.normal(0, 3, SHAPE), field, x**2 + y**2 + z**2 < 0.8


def test_a_smooth_field_is_taken_out() -> None:
    tissue, field, mask = _tissue_and_field()
    biased = (tissue * field).astype(np.float32)
    corrected = correct_bias(biased, mask)
    left, right = mask.copy(), mask.copy()
    left[:, :, 20:] = False
    right[:, :, :40] = False
    assert biased[right].mean() / biased[left].mean() > 1.3
    assert abs(corrected[right].mean() / corrected[left].mean() - 1.0) < 0.08
    np.testing.assert_allclose(corrected[mask].mean(), biased[mask].mean(), rtol=1e-3)


def test_where_there_is_no_value_there_still_is_none() -> None:
    tissue, field, mask = _tissue_and_field()
    biased = (tissue * field).astype(np.float32)
    biased[:10] = np.nan
    corrected = correct_bias(biased, mask & ~np.isnan(biased))
    np.testing.assert_array_equal(np.isnan(corrected), np.isnan(biased))


def test_an_image_without_positive_values_is_left_alone() -> None:
    negative = np.full((20, 20, 20), -5.0, dtype=np.float32)
    assert correct_bias(negative, np.ones_like(negative, dtype=bool)) is negative
