from __future__ import annotations

import numpy as np
from BrainSegAccelLib.geometry.resampling import resample
from BrainSegAccelLib.geometry.volume import Grid
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

SOURCE = Grid(
    (40, 40, 40), np.array([[1, 0, 0, -20], [0, 1, 0, -20], [0, 0, 1, -20], [0, 0, 0, 1.0]])
)


def _linear_field(grid: Grid) -> np.ndarray:
    """A field that is linear in patient space, which linear interpolation reproduces exactly."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    points = grid.to_patient(np.stack([i, j, k], axis=-1).astype(float))
    return (points @ np.array([1.0, -2.0, 0.5]) + 100.0).astype(np.float32)


@given(
    rotation=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 3.0)] * 3),
    flip=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_a_point_in_patient_space_keeps_its_value(
    rotation: tuple[float, ...], spacing: tuple[float, ...], flip: bool
) -> None:
    affine = np.eye(4)
    direction = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    if flip:
        direction[:, 0] *= -1
    affine[:3, :3] = direction * spacing
    target = Grid((5, 6, 7), affine)
    values, _ = resample(_linear_field(SOURCE), SOURCE, target)
    expected = _linear_field(target)
    k, j, i = np.meshgrid(*(np.arange(n) for n in target.shape), indexing="ij")
    inside = np.all(
        np.abs(target.to_patient(np.stack([i, j, k], axis=-1).astype(float)) + 0.5) < 19.0, axis=-1
    )
    assert inside.any()
    np.testing.assert_allclose(values[inside], expected[inside], atol=1e-2)


def test_outside_of_the_source_is_zero() -> None:
    far = Grid((3, 3, 3), np.array([[1, 0, 0, 500.3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    values, interpolated = resample(_linear_field(SOURCE), SOURCE, far)
    assert interpolated
    assert not values.any()


def test_a_shared_lattice_is_cropped_not_blurred() -> None:
    field = np.random.default_rng(0).normal(size=SOURCE.shape).astype(np.float32)
    affine = SOURCE.affine.copy()
    affine[:3, 3] += (3, 4, 5)
    values, interpolated = resample(field, SOURCE, Grid((4, 4, 4), affine))
    assert not interpolated
    np.testing.assert_array_equal(values, field[5:9, 4:8, 3:7])
