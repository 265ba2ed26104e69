from __future__ import annotations

from itertools import permutations

import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.geometry.lattice import common_lattice
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.geometry.volume import Grid
from hypothesis import given
from hypothesis import strategies as st

SHAPE = (4, 5, 6)


@st.composite
def turned_grids(draw: st.DrawFn) -> tuple[Grid, Grid]:
    """A source grid and one on the same lattice: axes permuted, flipped, shifted, cropped."""
    spacing = draw(st.sampled_from([(1.0, 1.0, 1.0), (0.7, 0.7, 0.7)]))
    angle = draw(st.floats(-3.0, 3.0))
    rotation = np.eye(3)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-50, 50)] * 3))
    turn = np.zeros((4, 4))
    order = draw(st.sampled_from(list(permutations(range(3)))))
    for row, column in enumerate(order):
        turn[row, column] = draw(st.sampled_from([-1.0, 1.0]))
    turn[:3, 3] = draw(st.tuples(*[st.integers(-8, 8)] * 3))
    turn[3, 3] = 1.0
    shape = draw(st.tuples(*[st.integers(1, 9)] * 3))
    return Grid(SHAPE, affine), Grid(shape, affine @ turn)


@given(turned_grids())
def test_a_copy_equals_nearest_neighbour_resampling(grids: tuple[Grid, Grid]) -> None:
    source, target = grids
    array = np.arange(1.0, 1.0 + np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    lattice = common_lattice(source, target)
    assert lattice is not None
    k, j, i = target.shape
    expected = sitk.Resample(
        to_image(array, source),
        (i, j, k),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        target.origin.tolist(),
        target.spacing,
        target.direction.ravel().tolist(),
    )
    np.testing.assert_array_equal(
        lattice.copy(array, target.shape), sitk.GetArrayFromImage(expected)
    )


def _shifted(offset: float = 0.0, scale: float = 1.0) -> Grid:
    affine = np.diag([scale, 1.0, 1.0, 1.0])
    affine[0, 3] = offset
    return Grid((4, 5, 200), affine)


def test_half_voxel_shift_is_no_common_lattice() -> None:
    assert common_lattice(_shifted(), _shifted(0.5)) is None


def test_a_spacing_that_drifts_over_the_grid_is_no_common_lattice() -> None:
    assert common_lattice(_shifted(), _shifted(scale=1.001)) is None


def test_rounding_in_a_header_still_is_a_common_lattice() -> None:
    assert common_lattice(_shifted(), _shifted(3.0 + 1e-5, 1.0 + 1e-7)) is not None
