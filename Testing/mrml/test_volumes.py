from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.mrml.volumes import (
    VolumeReader,
    check_selection,
    read_in_steps,
    volume_from_node,
)
from BrainSegAccelLib.study.modality import Modality
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine(angles=(0.0, 0.0, 0.0), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)) -> np.ndarray:
    """4x4 from rotations about x, y and z, then the voxel size (negative mirrors an axis)."""
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        one, other = [n for n in range(3) if n != axis]
        turn[one, one] = turn[other, other] = c
        turn[one, other], turn[other, one] = -s, s
        rotation = turn @ rotation
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(spacing)
    matrix[:3, 3] = origin
    return matrix


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)


GRIDS = {
    "axial": affine(),
    "oblique": affine((0.2, -0.4, 0.9), (0.9, 1.1, 2.5), (10.0, -20.0, 30.0)),
    "left-handed": affine((0.1, 0.2, 0.3), (-1.0, 1.2, 1.0), (-5.0, 4.0, 3.0)),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_voxels_and_affine_of_a_plain_node(add_volume, voxels, grid):
    volume = volume_from_node(add_volume(voxels, grid, "T1 post"))
    assert volume.name == "T1 post"
    assert_array_equal(volume.array, voxels)
    assert_allclose(volume.affine, RAS_TO_LPS @ grid, atol=1e-12)


def test_axes_of_array_are_k_j_i(add_volume):
    voxels = np.zeros((4, 5, 6), np.int16)
    voxels[1, 2, 3] = 7
    node = add_volume(voxels, np.eye(4))
    assert node.GetImageData().GetScalarComponentAsDouble(3, 2, 1, 0) == 7
    volume = volume_from_node(node)
    assert volume.array[1, 2, 3] == 7
    assert volume.array.dtype == np.float32


def test_volume_does_not_change_with_the_node(add_volume, voxels):
    node = add_volume(voxels, np.eye(4))
    volume = volume_from_node(node)
    node.GetImageData().GetPointData().GetScalars().Fill(0)
    assert_array_equal(volume.array, voxels)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    outer=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6) | st.floats(-6, -0.3)] * 3),
    shift=st.tuples(*[st.floats(-500, 500)] * 3),
    scale=st.floats(0.5, 2) | st.floats(-2, -0.5),
)
def test_linear_parents_are_composed_exactly(
    add_volume, put_under, voxels, angles, outer, spacing, shift, scale
):
    grid = affine(angles, spacing, shift)
    inner = affine(outer, (scale,) * 3, shift[::-1])
    top = affine((0.3, 0.0, -1.0), (1.0, 1.0, 1.0), (1.0, 2.0, 3.0))
    node = add_volume(voxels, grid)
    put_under(put_under(node, inner), top)
    expected = RAS_TO_LPS @ top @ inner @ grid
    assert_allclose(volume_from_node(node).affine, expected, rtol=0, atol=1e-9)


def test_point_is_where_slicer_shows_it(add_volume, put_under, voxels):
    node = add_volume(voxels, GRIDS["oblique"])
    put_under(node, affine((0.5, -1.0, 2.0), (-1.0, 1.0, 1.0), (4.0, 5.0, 6.0)))
    ijk = (3.0, 1.0, 2.0)
    ras, world = GRIDS["oblique"] @ (*ijk, 1.0), [0.0, 0.0, 0.0]
    node.TransformPointToWorld(ras[:3], world)
    lps = volume_from_node(node).grid.to_patient(np.array(ijk))
    assert_allclose(lps, np.array(world) * (-1, -1, 1), atol=1e-9)


@pytest.mark.parametrize("of_node", [True, False], ids=["own matrix", "parent transform"])
def test_sheared_grid_is_refused(add_volume, put_under, voxels, of_node):
    shear = np.eye(4)
    shear[0, 1] = 0.1
    node = add_volume(voxels, shear if of_node else np.eye(4), "FLAIR")
    if not of_node:
        put_under(node, shear)
    with pytest.raises(InputError, match=r"FLAIR: its axes are sheared by 5\.7 degrees; resample"):
        volume_from_node(node)


def test_rounding_of_a_header_is_not_shear(add_volume, voxels):
    grid = GRIDS["oblique"].astype(np.float32).round(4)
    assert_allclose(volume_from_node(add_volume(voxels, grid)).affine, RAS_TO_LPS @ grid)


def test_singular_transform_is_refused(add_volume, put_under, voxels):
    node = add_volume(voxels, np.eye(4), "T2")
    put_under(node, np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(InputError, match=r"T2: .* singular; repair"):
        volume_from_node(node)


def test_non_linear_parent_is_hardened_on_a_copy(scene, add_volume, bend):
    k, j, i = np.mgrid[:30, :30, :30]
    voxels = np.exp(-((i - 14) ** 2 + (j - 15) ** 2 + (k - 16) ** 2) / 20).astype(np.float32)
    node = add_volume(voxels, np.diag([1.0, 1.0, 2.0, 1.0]))
    bend(node, (3.0, -2.0, 4.0))
    before, image = scene.GetNumberOfNodes(), node.GetImageData()

    volume = volume_from_node(node)

    assert scene.GetNumberOfNodes() == before
    assert node.GetImageData() is image
    assert volume.grid.spacing == pytest.approx((1.0, 1.0, 2.0))
    peak = np.unravel_index(volume.array.argmax(), volume.array.shape)[::-1]
    ras = volume.grid.to_patient(np.array(peak)) * (-1, -1, 1)
    assert_allclose(ras, np.array([14.0, 15.0, 32.0]) - (3.0, -2.0, 4.0), atol=1e-4)
    assert volume.array.max() == pytest.approx(1.0, abs=1e-3)


def test_only_what_changed_is_read_again(add_volume, put_under, bend, voxels):
    reader = VolumeReader()

    def read(node):
        steps = reader.read_in_steps(node)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value

    node = add_volume(voxels, np.eye(4))
    first = read(node)
    assert read(node) is first

    flat = node.GetImageData().GetPointData().GetScalars()
    flat.Fill(3)
    flat.Modified()
    filled = read(node)
    assert filled is not first
    assert (filled.array == 3).all()
    assert (first.array == voxels).all()

    node.SetOrigin(1, 2, 3)
    moved = read(node)
    assert not np.array_equal(moved.affine, filled.affine)
    node.SetName("renamed")
    assert read(node).name == "renamed"

    others = [read(add_volume(voxels, np.eye(4))) for _ in range(4)]
    assert len({id(volume) for volume in others}) == 4
    late = read(node)
    assert read(node) is late
    reader.forget()
    assert read(node) is not late

    put_under(node, np.diag([1.0, 1.0, 2.0, 1.0]))
    assert read(node).affine[2, 2] == 2
    bend(node, (3.0, -2.0, 4.0))
    assert read(node) is not read(node)


def test_voxels_that_change_between_two_steps_are_refused(add_volume, voxels):
    node = add_volume(voxels, np.eye(4))
    steps = read_in_steps(node)
    next(steps)
    node.GetImageData().Modified()
    with pytest.raises(InputError, match="changed while it was read"):
        next(steps)


def test_node_without_voxels_is_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    with pytest.raises(InputError, match="T1: has no voxels; load"):
        volume_from_node(node)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 5, 6), "2-D image"), ((4, 5, 6, 3), "3 values per voxel")],
    ids=["slice", "colour"],
)
def test_what_is_not_a_volume_is_refused(add_volume, shape, message):
    with pytest.raises(InputError, match=f"T1c: .*{message}"):
        volume_from_node(add_volume(np.zeros(shape, np.float32), np.eye(4)))


def test_nothing_selected_is_refused():
    with pytest.raises(InputError, match="no input volume; give at least one"):
        check_selection({})


def test_one_volume_for_two_modalities_is_refused(add_volume):
    node = add_volume(np.ones((25, 25, 25), np.float32), np.eye(4), "brain")
    with pytest.raises(InputError, match="brain: selected as both T1 and FLAIR"):
        check_selection({Modality.T1: node, Modality.FLAIR: node})


def test_one_volume_for_each_modality_is_fine(add_volume):
    voxels = np.ones((25, 25, 25), np.float32)
    check_selection({m: add_volume(voxels, np.eye(4), m.label) for m in Modality})
