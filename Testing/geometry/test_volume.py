"""Grids: voxels to patient space and back."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.geometry.volume import Grid, Volume
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids of any orientation, handedness, spacing and origin."""
    shape = draw(st.tuples(*[st.integers(1, 300)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.1, 10)] * 3))
    seed = draw(st.integers(0, 2**32 - 1))
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing * draw(st.sampled_from([-1, 1]))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    return Grid(shape, affine)


@given(grids(), st.lists(st.tuples(*[st.floats(-50, 350)] * 3), min_size=1, max_size=5))
def test_to_patient_and_back(grid: Grid, points: list[tuple[float, float, float]]) -> None:
    ijk = np.array(points)
    np.testing.assert_allclose(grid.to_voxel(grid.to_patient(ijk)), ijk, atol=1e-6)


@given(grids())
def test_parts_make_the_affine(grid: Grid) -> None:
    affine = np.eye(4)
    affine[:3, :3] = grid.direction * grid.spacing
    affine[:3, 3] = grid.origin
    np.testing.assert_allclose(affine, grid.affine, atol=1e-9)
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(grid.spacing))
    np.testing.assert_allclose(grid.direction.T @ grid.direction, np.eye(3), atol=1e-9)


@given(grids())
def test_corners_span_the_sampled_box(grid: Grid) -> None:
    corners = grid.corners()
    assert corners.shape == (8, 3)
    k, j, i = grid.shape
    diagonal = np.linalg.norm(np.array([i, j, k]) * grid.spacing)
    assert np.linalg.norm(corners[-1] - corners[0]) == pytest.approx(diagonal)
    assert np.linalg.norm(corners - corners.mean(0), axis=1) == pytest.approx(diagonal / 2)


@given(grids(), st.floats(-0.01, 0.01))
def test_same_as_tells_by_millimetres_at_the_corners(grid: Grid, shift: float) -> None:
    affine = grid.affine.copy()
    affine[0, 3] += shift
    if not 0.9e-3 < abs(shift) < 1.1e-3:
        assert grid.same_as(Grid(grid.shape, affine)) == (abs(shift) <= 1e-3)
    k, j, i = grid.shape
    assert not grid.same_as(Grid((k, j, i + 1), grid.affine))


def test_left_handed_affine_keeps_its_sign() -> None:
    grid = Grid((4, 5, 6), np.diag([-2.0, 1.0, 3.0, 1.0]))
    assert np.linalg.det(grid.direction) == pytest.approx(-1)
    assert grid.voxel_volume_mm3 == pytest.approx(6)
    np.testing.assert_allclose(grid.to_patient(np.array([1.0, 2.0, 3.0])), (-2, 2, 9))


def test_affine_is_copied_and_read_only() -> None:
    affine = np.eye(4)
    grid = Grid((4, 5, 6), affine)
    affine[0, 3] = 7
    assert grid.origin[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 3] = 7


def test_noise_in_an_affine_does_not_reach_itk() -> None:
    """With a subnormal entry, ITK's inverse of this direction matrix is wrong by whole voxels."""
    affine = np.diag([-1.0, -1.0, -1.0, 1.0])
    affine[0, 1], affine[1, 0] = 5e-324, -5e-324
    image = to_image(np.zeros((4, 5, 6), np.float32), Grid((4, 5, 6), affine))
    for index in ((0, 0, 0), (5, 4, 3)):
        point = image.TransformIndexToPhysicalPoint(index)
        assert image.TransformPhysicalPointToContinuousIndex(point) == pytest.approx(index)


@pytest.mark.parametrize("affine", [np.eye(3), np.zeros((4, 3)), np.zeros(16)])
def test_affine_of_another_shape(affine: NDArray) -> None:
    with pytest.raises(ValueError, match="4x4"):
        Grid((4, 5, 6), affine)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6, 1)])
def test_volume_has_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three axes"):
        Volume(np.zeros(shape, np.float32), np.eye(4))


def test_volume_becomes_float32_on_a_grid_of_its_shape() -> None:
    volume = Volume(np.ones((4, 5, 6), np.int16), np.eye(4), "x")  # type: ignore[arg-type]
    assert volume.array.dtype == np.float32
    assert volume.grid.shape == (4, 5, 6)
