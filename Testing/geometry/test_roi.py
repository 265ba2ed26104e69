from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.geometry.volume import Grid
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)


@given(of_box=ANGLES, of_grid=ANGLES, size=st.tuples(*[st.floats(2, 30)] * 3))
@settings(deadline=None, max_examples=30)
def test_a_voxel_is_inside_where_its_centre_is(
    of_box: tuple[float, ...], of_grid: tuple[float, ...], size: tuple[float, ...]
) -> None:
    turned = Rotation.from_euler("xyz", of_box, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turned * size
    affine[:3, 3] = (1.0, 2.0, -3.0)
    slices = np.eye(4)
    slices[:3, :3] = Rotation.from_euler("xyz", of_grid, degrees=True).as_matrix() * (1, 2, 3)
    slices[:3, 3] = (-5.0, -6.0, -7.0)
    grid = Grid((9, 10, 11), slices)
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    points = grid.to_patient(np.stack([i, j, k], axis=-1).astype(float)) - affine[:3, 3]
    outside_mm = (np.abs(points @ turned) - np.array(size) / 2).max(axis=-1)
    mask = Roi(affine).mask(grid)
    sure = np.abs(outside_mm) > 1e-6
    np.testing.assert_array_equal(mask[sure], outside_mm[sure] < 0)


def test_corners_and_centre() -> None:
    low, high = np.array([-1.0, 2.0, 3.0]), np.array([4.0, 6.0, 3.5])
    roi = Roi.from_corners(low, high)
    np.testing.assert_allclose(roi.corners().min(axis=0), low)
    np.testing.assert_allclose(roi.corners().max(axis=0), high)
    np.testing.assert_allclose(roi.centre, (low + high) / 2)


@pytest.mark.parametrize("affine", [np.eye(3), np.diag([1.0, 0.0, 1.0, 1.0]), np.eye(4) * np.nan])
def test_a_box_without_volume_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(ValueError, match="4x4"):
        Roi(affine)
