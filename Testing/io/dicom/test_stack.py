"""Slices that make no volume are refused, small flaws are stated, and nobody is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.dicom.read import read_stack
from BrainSegAccelLib.io.dicom.sort import series_in, series_of
from BrainSegAccelLib.io.read import read_volume
from dicom_phantom import PERSON, common, head, save, save_series, slices
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage

Series = list[FileDataset]


def each(datasets: Series, **tags: object) -> Series:
    for dataset in datasets:
        for name, value in tags.items():
            setattr(dataset, name, value)
    return datasets


def move(datasets: Series, k: int, *millimetres: float) -> Series:
    position = [float(x) for x in datasets[k].ImagePositionPatient]
    datasets[k].ImagePositionPatient = [a + b for a, b in zip(position, millimetres, strict=True)]
    return datasets


def tilt(datasets: Series, millimetres: float) -> Series:
    for k in range(len(datasets)):
        move(datasets, k, 0.0, millimetres * k, 0.0)
    return datasets


def series(**tags: object) -> Series:
    return slices(head(), **tags)


def two_volumes(second: Volume | None = None, **other: object) -> Series:
    shared = common()
    return slices(head(), **shared) + each(slices(second or head(seed=1), **shared), **other)


REFUSED: dict[str, tuple[Callable[[], Series], str]] = {
    "missing slice": (lambda: [s for k, s in enumerate(series()) if k != 4], "slices are missing"),
    "two at one place": (
        lambda: two_volumes(),
        r"24 DICOM slices at 12 positions; keep one echo",
    ),
    "other time point": (
        lambda: two_volumes(AcquisitionNumber="2"),
        "2 volumes in one series .* time point",
    ),
    "other echo": (lambda: two_volumes(EchoTime=80), "of different echo time"),
    "other size": (lambda: two_volumes(head((12, 14, 24))), "of different size"),
    "other orientation": (
        lambda: two_volumes(ImageOrientationPatient=[0, 1, 0, 0, 0, 1]),
        "of different orientation or voxel size",
    ),
    "other voxel size": (lambda: two_volumes(PixelSpacing=[2, 2]), "voxel size"),
    "other frame of reference": (
        lambda: two_volumes(FrameOfReferenceUID="1.9.9"),
        "frame of reference",
    ),
    "single slice": (lambda: series()[:1], "one DICOM slice is no volume"),
    "gantry tilt": (lambda: tilt(series(), 0.3), r"slant of 5\.7 degrees \(gantry tilt\)"),
    "uneven": (lambda: move(series(), 5, 0, 0, 0.9), "unevenly spaced, 2.10 to 3.90 mm apart"),
    "shifted aside": (lambda: move(series(), 5, 2.0, 0, 0), "unevenly spaced"),
    "no rotation": (
        lambda: each(series(), ImageOrientationPatient=[1, 0, 0, 0.5, 0.5, 0]),
        "no rotation",
    ),
    "zero orientation": (lambda: each(series(), ImageOrientationPatient=[0] * 6), "no rotation"),
    "zero voxel size": (lambda: each(series(), PixelSpacing=[0, 1]), "12 of 12 .* voxel size"),
    "colour": (lambda: each(series(), PhotometricInterpretation="RGB"), "grey values"),
    "inverted": (
        lambda: each(series(), PhotometricInterpretation="MONOCHROME1"),
        "grey values",
    ),
    "CT": (
        lambda: each(series(), Modality="CT", SOPClassUID=CTImageStorage),
        r"folder without MR images \(12 CT\)",
    ),
    "two patients": (lambda: two_volumes(PatientID="OTHER"), "images of 2 patients"),
    "two studies": (lambda: two_volumes(StudyInstanceUID="1.2.9"), "images of 2 studies"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_one_line_that_names_nobody(
    tmp_path: Path, make: Callable[[], Series], message: str
) -> None:
    save(make(), tmp_path)
    with pytest.raises(InputError, match=message) as error:
        read_volume(tmp_path)
    assert "\n" not in str(error.value)
    assert not any(value in str(error.value) for value in PERSON.values())
    assert "1.2." not in str(error.value)


def test_one_slice_without_position_is_not_left_out(tmp_path: Path) -> None:
    datasets = series()
    del datasets[-1].ImagePositionPatient
    save(datasets, tmp_path)
    with pytest.raises(InputError, match="1 of 12 DICOM slices have no position"):
        read_volume(tmp_path)


@pytest.mark.parametrize("off", [0.0, 0.01, 0.1])
def test_small_unevenness_is_repaired_and_stated(tmp_path: Path, off: float) -> None:
    save(move(series(), 5, 0, 0, off), tmp_path)
    stack = series_in(tmp_path)
    assert stack.grid.same_as(head().grid)
    expected = "slices lie up to 0.10 mm off even gaps of 3.00 mm, which were used"
    assert stack.remarks == ((expected,) if off == 0.1 else ())


def test_copies_count_once_and_are_stated(tmp_path: Path) -> None:
    files = save_series(tmp_path, head())
    for file in files[:3]:
        shutil.copy(file, file.with_name(f"copy of {file.name}"))
    stack = series_in(tmp_path)
    assert stack.remarks == ("3 DICOM files are copies of others and were left out",)
    np.testing.assert_array_equal(read_volume(tmp_path).array, head().array)


def test_one_identifier_for_two_images(tmp_path: Path) -> None:
    datasets = series()
    save(datasets, tmp_path, "A")
    datasets[3].PixelData = bytes(len(datasets[3].PixelData))
    save(datasets[3:4], tmp_path, "B")
    with pytest.raises(InputError, match="differ but carry one identifier"):
        series_in(tmp_path)


def test_instance_numbers_do_not_matter(tmp_path: Path) -> None:
    save(each(series(), InstanceNumber=1, SliceThickness=99, SpacingBetweenSlices=0), tmp_path)
    assert series_in(tmp_path).grid.same_as(head().grid)


def test_time_points_can_be_named_by_a_file(tmp_path: Path) -> None:
    files = save(two_volumes(AcquisitionNumber="2"), tmp_path)
    for file, truth in ((files[3], head()), (files[20], head(seed=1))):
        np.testing.assert_array_equal(read_stack(series_of(file)).array, truth.array)


@pytest.mark.parametrize("content", [None, "hello"])
def test_folder_without_dicom(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "notes.txt").write_text(content)
    with pytest.raises(InputError, match="folder without DICOM images"):
        series_in(tmp_path)
