"""NRRD read through SimpleITK, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.nrrd import read_nrrd

VOXELS = np.random.default_rng(0).integers(0, 900, (12, 14, 16)).astype(np.int16)


def image() -> sitk.Image:
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    result = sitk.GetImageFromArray(VOXELS)
    result.SetSpacing((0.9, 1.1, 3.0))
    result.SetOrigin((-20.5, 13.25, 7.0))
    result.SetDirection(rotation.ravel())
    return result


@pytest.fixture(params=["a.nrrd", "a-raw.nrrd", "a.nhdr"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    target = tmp_path / request.param
    sitk.WriteImage(image(), str(target), target.name == "a.nrrd")
    return target


def test_values_and_geometry(path: Path) -> None:
    volume, expected = read_nrrd(path), image()
    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.array.dtype == np.float32
    corner = expected.TransformIndexToPhysicalPoint((15, 13, 11))
    np.testing.assert_allclose(volume.grid.to_patient(np.array([15, 13, 11])), corner, atol=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError) as error:
        read_nrrd(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_corrupt_gzip_data_is_refused(tmp_path: Path) -> None:
    """ITK alone lets about one in eight such files through."""
    path = tmp_path / "a.nrrd"
    sitk.WriteImage(image(), str(path), True)
    content = path.read_bytes()
    start = content.index(b"\n\n") + 2
    for at in np.linspace(start + 20, len(content) - 20, 40, dtype=int):
        broken = bytearray(content)
        broken[at] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(InputError):
            read_nrrd(path)


def test_detached_data_that_is_missing_or_short(tmp_path: Path) -> None:
    path = tmp_path / "a.nhdr"
    sitk.WriteImage(image(), str(path))
    data = tmp_path / "a.raw"
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(InputError):
        read_nrrd(path)
    data.unlink()
    with pytest.raises(InputError):
        read_nrrd(path)


@pytest.mark.parametrize(
    ("array", "is_vector", "what"),
    [
        (np.ones((7, 8), np.uint8), False, "2-D image"),
        (np.ones((1, 7, 8), np.uint8), False, "2-D image"),
        (np.ones((2, 6, 7, 8), np.uint8), False, "4-D image"),
        (np.ones((6, 7, 8, 3), np.uint8), True, "3 components a voxel"),
    ],
)
def test_other_images_are_refused(
    tmp_path: Path, array: np.ndarray, is_vector: bool, what: str
) -> None:
    path = tmp_path / "a.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=is_vector), str(path))
    with pytest.raises(InputError, match=what):
        read_nrrd(path)


def test_not_nrrd_is_refused_in_silence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.nrrd"
    path.write_text("NRRD0004\ntype: nonsense\nsizes: -1 2 3\n\n")
    with pytest.raises(InputError, match="cannot be read as NRRD"):
        read_nrrd(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not an NRRD image"):
        read_nrrd(path)
    assert capfd.readouterr() == ("", "")
