from __future__ import annotations

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError, RunError
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.io.nifti import read_nifti
from BrainSegAccelLib.io.write import check_output, write_segmentation
from BrainSegAccelLib.study.segmentation import Segmentation
from hypothesis import example, given, settings
from hypothesis import strategies as st
from label_schemes import TUMOUR
from numpy.testing import assert_allclose, assert_array_equal

SUFFIXES = (".seg.nrrd", ".nii.gz", ".nrrd")
SHAPE = (4, 5, 6)


def rotation(quaternion: tuple[float, float, float, float]) -> np.ndarray:
    """3x3 rotation of a quaternion (a, b, c, d) of any length but zero."""
    a, b, c, d = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


NEARLY_HALF_A_TURN = np.eye(4)
"""Of which the quaternion in a NIfTI header keeps nothing but the half turn, in RAS."""
NEARLY_HALF_A_TURN[:3, :3] = rotation((1.0, 0.0, 0.0, -6.1e-5)) * (1.0, 9.0, 1.0)


@st.composite
def affines(draw) -> np.ndarray:
    """Any orthogonal grid: oblique, left- or right-handed, half turns included."""
    part = st.sampled_from((-1.0, 0.0, 1.0)) | st.floats(-1, 1)
    quaternion = draw(st.tuples(*[part] * 4).filter(lambda q: np.linalg.norm(q) > 1e-3))
    size = st.floats(0.1, 10)
    affine = np.eye(4)
    affine[:3, :3] = rotation(quaternion) * draw(st.tuples(size, size, size))
    affine[:3, draw(st.integers(0, 2))] *= draw(st.sampled_from((1.0, -1.0)))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-1000, 1000)] * 3))
    return affine


def segmentation(affine: np.ndarray) -> Segmentation:
    labels = np.random.default_rng(0).integers(0, 4, SHAPE, dtype=np.uint8)
    return Segmentation(labels, Grid(SHAPE, affine), TUMOUR.scheme)


@settings(max_examples=40, deadline=None)
@given(affine=affines(), suffix=st.sampled_from((".seg.nrrd", ".nrrd")))
def test_nrrd_keeps_labels_and_geometry(tmp_path_factory, affine, suffix):
    path = tmp_path_factory.mktemp("nrrd") / f"x{suffix}"
    result = segmentation(affine)
    write_segmentation(result, path)
    image = sitk.ReadImage(str(path))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert_array_equal(sitk.GetArrayFromImage(image), result.labels)
    for ijk in ((0, 0, 0), (5, 0, 0), (0, 4, 0), (0, 0, 3)):
        expected = result.grid.to_patient(np.array(ijk))
        assert_allclose(image.TransformIndexToPhysicalPoint(ijk), expected, atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(affine=affines())
@example(affine=NEARLY_HALF_A_TURN)
def test_nifti_keeps_labels_and_geometry(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "x.nii.gz"
    result = segmentation(affine)
    write_segmentation(result, path)
    image = nibabel.load(path)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    qform, qcode = image.get_qform(coded=True)
    sform, scode = image.get_sform(coded=True)
    assert (qcode, scode) == (1, 1)
    assert_allclose(sform, ras, rtol=1e-6, atol=1e-6)
    # The quaternion is float32, and loses half of its digits near half a turn: directions to 5e-4.
    spacing = np.append(np.linalg.norm(ras[:3, :3], axis=0), 1.0)
    assert_allclose(qform[:3] / spacing, ras[:3] / spacing, rtol=1e-6, atol=5e-4)
    assert image.get_data_dtype() == np.uint8
    assert_array_equal(np.asarray(image.dataobj).T, result.labels)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_itk_and_our_reader_see_the_nifti_where_it_is(tmp_path: Path):
    affine = np.eye(4)
    affine[:3, :3] = rotation((0.9, 0.1, -0.3, 0.2)) * (0.9, -1.1, 2.5)
    affine[:3, 3] = (10, -20, 30)
    result, path = segmentation(affine), tmp_path / "x.nii.gz"
    write_segmentation(result, path)
    image = sitk.ReadImage(str(path))
    assert_allclose(
        image.TransformIndexToPhysicalPoint((5, 4, 3)),
        result.grid.to_patient(np.array((5, 4, 3))),
        atol=1e-5,
    )
    volume = read_nifti(path)
    assert volume.grid.same_as(result.grid, 1e-4)
    assert_array_equal(volume.array, result.labels)


def test_sheared_grid_is_kept_in_nrrd_and_refused_in_nifti(tmp_path: Path):
    affine = np.eye(4)
    affine[0, 1] = 0.1
    result = segmentation(affine)
    write_segmentation(result, tmp_path / "x.nrrd")
    image = sitk.ReadImage(str(tmp_path / "x.nrrd"))
    assert_allclose(image.TransformIndexToPhysicalPoint((0, 4, 0)), (0.4, 4.0, 0.0))
    with pytest.raises(InputError, match=r"grid is sheared.*; write \.seg\.nrrd"):
        write_segmentation(result, tmp_path / "x.nii.gz")
    assert os.listdir(tmp_path) == ["x.nrrd"]


def test_rounding_of_a_header_is_not_shear(tmp_path: Path):
    affine = np.eye(4)
    affine[:3, :3] = rotation((0.9, 0.1, -0.3, 0.2)).round(4)
    write_segmentation(segmentation(affine), tmp_path / "x.nii.gz")
    assert read_nifti(tmp_path / "x.nii.gz").grid.same_as(Grid(SHAPE, affine), 1e-2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_result_gives_the_same_bytes(tmp_path: Path, suffix):
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    write_segmentation(segmentation(np.eye(4)), one)
    write_segmentation(segmentation(np.eye(4)), other)
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_file_is_replaced_and_nothing_left_beside_it(tmp_path: Path, suffix):
    path = tmp_path / f"sub-01.T1c{suffix}"
    path.write_text("old")
    check_output(path)
    assert path.read_text() == "old"
    write_segmentation(segmentation(np.eye(4)), path)
    assert os.listdir(tmp_path) == [path.name]
    assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(path))), segmentation(np.eye(4)).labels
    )


@pytest.mark.parametrize("name", ["x", "x.mha", "x.nii", "x.seg.nrrd.txt", ".nii.gz", ".seg.nrrd"])
def test_unknown_format_is_refused_before_the_run(tmp_path: Path, name):
    path = tmp_path / name
    with pytest.raises(
        InputError, match=r"no segmentation format.* \.seg\.nrrd, \.nii\.gz, \.nrrd"
    ):
        check_output(path)
    with pytest.raises(InputError):
        write_segmentation(segmentation(np.eye(4)), path)
    assert os.listdir(tmp_path) == []


def test_missing_folder_is_refused_before_the_run(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        check_output(tmp_path / "none" / "x.nii.gz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folder_that_vanished_in_the_meantime_is_told(tmp_path: Path, suffix):
    with pytest.raises(RunError, match=r"cannot write.*; free some space or choose another folder"):
        write_segmentation(segmentation(np.eye(4)), tmp_path / "gone" / f"x{suffix}")
