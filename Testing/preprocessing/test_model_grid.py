from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.preprocessing.model_grid import model_grid

SMALLEST = (1, 1, 1)
MM = (1.0, 1.0, 1.0)


def _ball() -> np.ndarray:
    """A ball of 19 voxels diameter in the middle of 30."""
    k, j, i = np.ogrid[:30, :30, :30]
    return (k - 15) ** 2 + (j - 15) ** 2 + (i - 15) ** 2 < 100


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_it_lies_on_the_lattice_of_an_axis_aligned_image(flips: tuple[int, int, int]) -> None:
    affine = np.diag([*map(float, flips), 1.0])
    affine[:3, 3] = (0.3, -7.7, 12.0)
    image = Grid((30, 30, 30), affine)
    grid = model_grid(_ball(), image, SMALLEST, MM)
    assert grid.shape == (19, 19, 19)
    index = image.to_voxel(grid.origin)
    np.testing.assert_allclose(index, np.rint(index), atol=1e-9)
    np.testing.assert_allclose(grid.direction, np.eye(3))


def test_thick_slices_get_1_mm_of_the_same_extent() -> None:
    grid = model_grid(_ball(), Grid((30, 30, 30), np.diag([1.0, 1.0, 5.0, 1.0])), SMALLEST, MM)
    assert grid.spacing == (1.0, 1.0, 1.0)
    assert grid.shape == (18 * 5 + 1, 19, 19)


def test_a_smaller_head_lies_in_the_middle() -> None:
    grid = model_grid(_ball(), Grid((30, 30, 30), np.eye(4)), (25, 19, 30), MM)
    assert grid.shape == (25, 19, 30)
    np.testing.assert_array_equal(grid.origin, (6 - 5, 6, 6 - 3))


def test_a_larger_head_keeps_its_size() -> None:
    grid = model_grid(_ball(), Grid((30, 30, 30), np.eye(4)), (16, 25, 16), MM)
    assert grid.shape == (19, 25, 19)


def test_specks_in_the_air_do_not_widen_it() -> None:
    mask = _ball()
    mask[0, 0, 0] = mask[29, 3, 15] = True
    image = Grid((30, 30, 30), np.eye(4))
    assert model_grid(mask, image, SMALLEST, MM).shape == (30, 25, 25)
    grid = model_grid(mask, image, (19, 25, 19), MM)
    assert grid.shape == (19, 25, 19)
    # All of the ball is still there, and lies in the middle where there is room.
    np.testing.assert_array_equal(grid.origin, (6, 0, 6))


def test_voxels_of_any_spacing_along_each_axis() -> None:
    """Along S, P, L: the ball is 18 mm from first to last voxel."""
    image = Grid((30, 30, 30), np.eye(4))
    grid = model_grid(_ball(), image, SMALLEST, (3.0, 2.0, 1.5))
    assert grid.spacing == (1.5, 2.0, 3.0)
    assert grid.shape == (7, 10, 13)
    np.testing.assert_array_equal(grid.origin, (6, 6, 6))
    padded = model_grid(_ball(), image, (9, 10, 13), (3.0, 2.0, 1.5))
    np.testing.assert_array_equal(padded.origin, (6, 6, 6 - 3))
