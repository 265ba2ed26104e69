"""A DICOM series read with its true geometry, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.files.dicom import read_dicom
from BrainSegAccelLib.files.read import read_volume
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

COUNT = 9
VOXELS = np.random.default_rng(0).integers(0, 900, (COUNT, 14, 16)).astype(np.int16)


def axial(count: int = COUNT, gap: float = 2.0) -> NDArray[np.float64]:
    """Positions (k, 3) of slices that start at LPS (1, 2, 3) mm."""
    return np.array([[1.0, 2.0, 3.0 + gap * k] for k in range(count)])


def save(
    folder: Path,
    array: NDArray[np.int16] = VOXELS,
    positions: NDArray[np.float64] | None = None,
    prefix: str = "IM",
    **tags: object,
) -> Path:
    """Write a series of slices, in an order that is not that of their names.

    :param tags: DICOM attributes to set on every slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    positions = axial(len(array)) if positions is None else positions
    series, names = generate_uid(), np.random.default_rng(3).permutation(len(array))
    for number, plane, position in zip(names, array, positions, strict=True):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        image.SeriesInstanceUID, image.StudyInstanceUID = series, "1.2.3"
        image.Modality, image.PatientName, image.PatientID = "MR", "Doe^Jane", "12345"
        image.ImagePositionPatient = [float(x) for x in position]
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness = [1.25, 1.0], 1
        image.Rows, image.Columns = plane.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 1
        image.PixelData = plane.astype("<i2").tobytes()
        for name, value in tags.items():
            setattr(image, name, value)
        image.save_as(folder / f"{prefix}{number:04d}", enforce_file_format=True)
    return folder


@pytest.mark.parametrize("read", [read_dicom, read_volume])
def test_values_and_geometry(tmp_path: Path, read: object) -> None:
    volume = read(save(tmp_path / "s"))
    np.testing.assert_array_equal(volume.array, VOXELS)
    expected = np.diag([1.0, 1.25, 2.0, 1.0])
    expected[:3, 3] = (1, 2, 3)
    np.testing.assert_allclose(volume.affine, expected, atol=1e-6)


def test_slices_that_run_the_other_way_are_turned(tmp_path: Path) -> None:
    volume = read_dicom(save(tmp_path / "s", positions=axial()[::-1]))
    np.testing.assert_array_equal(volume.array, VOXELS[::-1])
    np.testing.assert_allclose(volume.grid.origin, (1, 2, 3), atol=1e-6)


def test_oblique_series(tmp_path: Path) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    positions = np.array([10.0, -20.0, 30.0]) + 3.0 * np.arange(COUNT)[:, None] * rotation[:, 2]
    cosines = [float(x) for x in (*rotation[:, 0], *rotation[:, 1])]
    volume = read_dicom(save(tmp_path / "s", positions=positions, ImageOrientationPatient=cosines))
    np.testing.assert_array_equal(volume.array, VOXELS)
    np.testing.assert_allclose(volume.affine[:3, :3], rotation * (1.0, 1.25, 3.0), atol=1e-4)
    np.testing.assert_allclose(volume.affine[:3, 3], (10, -20, 30), atol=1e-4)


def test_rescale_slope(tmp_path: Path) -> None:
    volume = read_dicom(save(tmp_path / "s", RescaleSlope=2.5, RescaleIntercept=-10))
    np.testing.assert_allclose(volume.array, VOXELS * 2.5 - 10)


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    save(tmp_path / "s")
    (tmp_path / "s" / "notes.txt").write_text("hello")
    (tmp_path / "s" / "sub").mkdir()
    np.testing.assert_array_equal(read_dicom(tmp_path / "s").array, VOXELS)


@pytest.mark.parametrize("content", [None, "hello"])
def test_folder_without_dicom(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "notes.txt").write_text(content)
    with pytest.raises(InputError, match="folder without DICOM images"):
        read_dicom(tmp_path)


def test_two_series_are_counted_and_nobody_is_named(tmp_path: Path) -> None:
    save(tmp_path / "s")
    save(tmp_path / "s", VOXELS[:5], prefix="B")
    with pytest.raises(InputError) as error:
        read_dicom(tmp_path / "s")
    assert "2 DICOM series (of 5, 9 files)" in str(error.value)
    assert "Doe" not in str(error.value)
    assert "1.2." not in str(error.value)


def test_missing_slice(tmp_path: Path) -> None:
    keep = [k for k in range(COUNT) if k != 4]
    save(tmp_path / "s", VOXELS[keep], axial()[keep])
    with pytest.raises(InputError, match=r"2\.00 to 4\.00 mm apart: slices are missing"):
        read_dicom(tmp_path / "s")


def test_two_images_at_every_position(tmp_path: Path) -> None:
    save(tmp_path / "s", VOXELS[:8], np.repeat(axial(4), 2, axis=0))
    with pytest.raises(InputError, match="8 DICOM slices at 4 positions"):
        read_dicom(tmp_path / "s")


def test_single_slice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one DICOM slice"):
        read_dicom(save(tmp_path / "s", VOXELS[:1]))


def test_single_file_asks_for_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the folder"):
        read_volume(save(tmp_path / "s") / "IM0003")


@pytest.mark.parametrize("keep", [0, 200, -300])
@pytest.mark.parametrize("plane", [0, 4, COUNT - 1])
def test_damaged_slice_is_not_left_out_in_silence(tmp_path: Path, plane: int, keep: int) -> None:
    """GDCM skips what it cannot read; at either end that would only shorten the volume."""
    save(tmp_path / "s")
    names = np.random.default_rng(3).permutation(COUNT)
    file = tmp_path / "s" / f"IM{names[plane]:04d}"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=f"1 damaged DICOM files, the first {file.name}"):
        read_dicom(tmp_path / "s")


def test_slices_of_different_sizes(tmp_path: Path) -> None:
    save(tmp_path / "s", SeriesInstanceUID="1.2.3.4")
    save(
        tmp_path / "s",
        VOXELS[:2, :7],
        axial(COUNT + 2)[COUNT:],
        prefix="B",
        SeriesInstanceUID="1.2.3.4",
    )
    with pytest.raises(InputError, match="different sizes"):
        read_dicom(tmp_path / "s")


@pytest.mark.parametrize(
    ("tag", "value", "what"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 0, 0, 1], "orientation"),
        ("PixelSpacing", [2, 2], "voxel size"),
    ],
)
def test_slices_that_do_not_belong_together(
    tmp_path: Path, tag: str, value: list[float], what: str
) -> None:
    save(tmp_path / "s", SeriesInstanceUID="1.2.3.4")
    more = {"SeriesInstanceUID": "1.2.3.4", tag: value}
    save(tmp_path / "s", VOXELS[:2], axial(COUNT + 2)[COUNT:], "B", **more)
    with pytest.raises(InputError, match=f"different {what}"):
        read_dicom(tmp_path / "s")
