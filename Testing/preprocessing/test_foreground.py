from __future__ import annotations

import numpy as np
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.preprocessing.foreground import bounding_box_mm, find_foreground
from hypothesis import given
from hypothesis import strategies as st


def _ball(background: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    array = rng.normal(background, 2.0, (30, 30, 30)) if background else np.zeros((30, 30, 30))
    k, j, i = np.ogrid[:30, :30, :30]
    inside = (k - 15) ** 2 + (j - 15) ** 2 + (i - 15) ** 2 < 100
    return np.where(inside, 100.0 + array, array).astype(np.float32)


def test_a_masked_background_is_recognised() -> None:
    array = _ball(0.0)
    found = find_foreground(array)
    assert found.method == "non-zero voxels"
    np.testing.assert_array_equal(found.mask, array != 0)


def test_a_noisy_background_is_separated_by_otsu() -> None:
    found = find_foreground(_ball(5.0))
    assert "Otsu" in found.method
    overlap = found.mask & (_ball(0.0) != 0)
    assert overlap.sum() >= 0.99 * (_ball(0.0) != 0).sum()
    assert found.mask.sum() <= 1.01 * (_ball(0.0) != 0).sum()


@given(
    st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=8),
    st.floats(-3, 3),
)
def test_bounding_box_holds_every_voxel_and_touches_some(
    voxels: list[tuple[int, int, int]], angle: float
) -> None:
    mask = np.zeros((7, 7, 7), dtype=bool)
    mask[tuple(np.array(voxels).T)] = True
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    grid = Grid(mask.shape, affine)
    low, high = bounding_box_mm(mask, grid)
    points = grid.to_patient(np.argwhere(mask)[:, ::-1].astype(float))
    np.testing.assert_allclose(low, points.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(high, points.max(axis=0), atol=1e-9)
