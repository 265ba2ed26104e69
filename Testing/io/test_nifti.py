"""NIfTI read as nibabel and SimpleITK read it, and refused where they would guess."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.itk import affine_of
from BrainSegAccelLib.io.nifti import read_nifti
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
VOXELS = np.random.default_rng(0).integers(0, 100, (6, 7, 8))  # (k, j, i)


def oblique(spacing: tuple[float, float, float] = (0.9, 1.1, 3.0), handed: int = 1) -> NDArray:
    """4x4 voxel to RAS mm, rotated about all axes."""
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    rotation *= handed * np.sign(np.linalg.det(rotation))
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = (-20.5, 13.25, 7.0)
    return affine


def save(path: Path, array: NDArray, ras: NDArray | None = None, **header: object) -> Path:
    image = nib.Nifti1Image(array.T, np.eye(4) if ras is None else ras)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def patch(path: Path, offset: int, layout: str, *values: object) -> Path:
    """Overwrite header bytes of a plain little-endian NIfTI-1 file."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<" + layout, content, offset, *values)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("handed", [1, -1])
def test_values_and_geometry(tmp_path: Path, suffix: str, handed: int) -> None:
    ras = oblique(handed=handed)
    path = save(tmp_path / f"a{suffix}", VOXELS.astype(np.int16), ras)
    volume = read_nifti(path)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, VOXELS)
    np.testing.assert_allclose(volume.affine, RAS_TO_LPS @ ras, atol=1e-5)
    assert volume.name == path.name
    image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.affine, affine_of(image), atol=1e-4)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_and_order(tmp_path: Path, kind: str, order: str) -> None:
    header = nib.Nifti1Header(endianness=order)
    values = VOXELS.astype(order + kind)
    header.set_data_dtype(values.dtype)
    nib.save(nib.Nifti1Image(values.T, oblique(), header), tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, VOXELS)
    np.testing.assert_allclose(volume.affine, RAS_TO_LPS @ oblique(), atol=1e-5)


def test_nifti_2_is_refused_with_a_remedy(tmp_path: Path) -> None:
    nib.save(nib.Nifti2Image(VOXELS.T.astype(np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"NIfTI-2.*convert it to NIfTI-1"):
        read_nifti(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(("slope", "inter"), [(2.5, -7.0), (1.0, 3.0), (0.0, 0.0)])
def test_slope_and_intercept(tmp_path: Path, slope: float, inter: float) -> None:
    path = save(tmp_path / "a.nii", VOXELS.astype(np.int16))
    patch(path, 112, "ff", slope, inter)
    expected = nib.load(path).get_fdata().T
    np.testing.assert_array_equal(read_nifti(path).array, expected.astype(np.float32))


@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 1e-3),
    spacing=st.tuples(*[st.floats(0.2, 8)] * 3),
    handed=st.sampled_from([-1.0, 1.0]),
)
def test_qform_is_what_nibabel_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory,
    quaternion: tuple[float, ...],
    spacing: tuple[float, ...],
    handed: float,
) -> None:
    path = tmp_path_factory.getbasetemp() / "qform.nii"
    save(path, VOXELS.astype(np.uint8))
    b, c, d = np.array(quaternion[1:]) / np.linalg.norm(quaternion)
    patch(path, 76, "4f", handed, *spacing)
    patch(path, 252, "hh6f", 1, 0, b, c, d, 1.5, -2.5, 3.5)
    np.testing.assert_allclose(
        read_nifti(path).affine, RAS_TO_LPS @ nib.load(path).affine, atol=1e-2
    )


def test_sform_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", VOXELS.astype(np.uint8), oblique())
    patch(path, 252, "h", 0)
    np.testing.assert_allclose(read_nifti(path).affine, RAS_TO_LPS @ oblique(), atol=1e-5)


def test_units_of_metres_become_mm(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", VOXELS.astype(np.uint8), np.diag([0.001, 0.001, 0.002, 1.0]))
    patch(path, 123, "b", 1)
    assert read_nifti(path).grid.spacing == pytest.approx((1.0, 1.0, 2.0))


def test_forms_that_agree_are_read_and_forms_that_disagree_are_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS.T.astype(np.uint8), oblique(handed=-1))
    image.set_qform(oblique(handed=-1), code=1)
    path = tmp_path / "a.nii"
    nib.save(image, path)
    np.testing.assert_allclose(read_nifti(path).affine, RAS_TO_LPS @ oblique(handed=-1), atol=1e-5)
    patch(path, 268, "f", 15.0)  # qoffset_x was -20.5
    with pytest.raises(InputError, match=r"up to 35\.5 mm apart.*fslorient"):
        read_nifti(path)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1)])
def test_trailing_axes_of_one_are_dropped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.nii.gz", VOXELS.astype(np.uint8).reshape(*shape, 6, 7, 8))
    np.testing.assert_array_equal(read_nifti(path).array, VOXELS)


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ((7, 8), "2-D image \\(8 x 7 voxels\\)"),
        ((1, 7, 8), "2-D image \\(8 x 7 x 1 voxels\\)"),
        ((7, 1, 8), "2-D image"),
        ((2, 6, 7, 8), "4-D image \\(8 x 7 x 6 x 2 voxels\\)"),
        ((3, 1, 6, 7, 8), "5-D image"),
    ],
)
def test_other_dimensions_are_refused(tmp_path: Path, shape: tuple[int, ...], what: str) -> None:
    path = save(tmp_path / "a.nii", np.ones(shape, np.uint8))
    with pytest.raises(InputError, match=what):
        read_nifti(path)


@pytest.mark.parametrize(
    ("dtype", "what"),
    [
        (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), "3 components a voxel"),
        (np.dtype(np.complex64), "complex"),
    ],
)
def test_other_voxels_are_refused(tmp_path: Path, dtype: np.dtype, what: str) -> None:
    path = save(tmp_path / "a.nii", np.zeros((6, 7, 8), dtype))
    with pytest.raises(InputError, match=what):
        read_nifti(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    """SimpleITK reads these without a word, as zeros or noise."""
    path = save(tmp_path / f"a{suffix}", VOXELS.astype(np.float32))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"truncated|not a NIfTI image"):
        read_nifti(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("writer", ["nibabel", "SimpleITK"])
def test_nan_and_infinity_are_refused(
    tmp_path: Path, value: float, kind: type, writer: str
) -> None:
    """ITK's own NIfTI library reads some of them as zero."""
    array = VOXELS.astype(kind)
    array[3, 3, 3] = value
    path = tmp_path / "a.nii.gz"
    if writer == "nibabel":
        save(path, array)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    with pytest.raises(InputError, match="1 voxels are NaN or infinite"):
        read_nifti(path)


def test_corrupt_gzip_data_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", VOXELS.astype(np.float32))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="corrupt gzip data"):
        read_nifti(path)


def test_gzip_of_several_members_and_wrong_suffix(tmp_path: Path) -> None:
    plain = save(tmp_path / "a.nii", VOXELS.astype(np.int16)).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(plain[:500]) + gzip.compress(plain[500:]))
    (tmp_path / "c.nii.gz").write_bytes(plain)
    for name in ("b.nii.gz", "c.nii.gz"):
        np.testing.assert_array_equal(read_nifti(tmp_path / name).array, VOXELS)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "what"),
    [
        (0, "i", 12, "not a NIfTI image"),
        (40, "h", 0, "NIfTI header with dimensions"),
        (40, "h", 9, "NIfTI header with dimensions"),
        (42, "h", 0, "NIfTI header with dimensions"),
        (42, "h", -5, "NIfTI header with dimensions"),
        (42, "h", 32767, "truncated"),
        (70, "h", 9999, "voxel type 9999"),
        (108, "f", 1e12, "truncated"),
        (108, "f", -5.0, "truncated"),
        (108, "f", float("nan"), "truncated"),
        (344, "4s", b"ni1\0", "single-file"),
        (344, "4s", b"xxxx", "single-file"),
        (280, "f", float("nan"), "not a number"),
        (292, "f", float("inf"), "not a number"),
    ],
)
def test_headers_that_lie_are_refused_in_silence(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    offset: int,
    layout: str,
    value: object,
    what: str,
) -> None:
    path = patch(save(tmp_path / "a.nii", VOXELS.astype(np.int16)), offset, layout, value)
    with pytest.raises(InputError, match=what) as error:
        read_nifti(path)
    assert str(path) in str(error.value)
    assert capfd.readouterr() == ("", "")


@given(content=st.binary(max_size=700))
def test_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.nii"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_nifti(path)


@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = save(tmp_path_factory.getbasetemp() / "fuzz.nii", VOXELS.astype(np.int16))
    for offset, value in changes:
        patch(path, offset, "B", value)
    try:
        volume = read_nifti(path)
    except InputError:
        return
    assert volume.array.ndim == 3
    assert volume.affine.shape == (4, 4)
