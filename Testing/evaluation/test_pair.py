from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.evaluation.pair import compare_files
from label_schemes import TUMOUR


def write(path: Path, labels: np.ndarray, origin: tuple[float, ...] = (-10, 5, 2.5)) -> Path:
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((0.5, 1.0, 2.0))
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def labels() -> np.ndarray:
    array = np.zeros((10, 20, 30), dtype=np.uint8)
    array[2:8, 4:14, 5:25] = 2
    array[3:6, 6:10, 8:18] = 1
    array[4, 7, 9:15] = 4
    return array


def test_a_file_agrees_with_itself_in_another_format(tmp_path: Path, labels: np.ndarray) -> None:
    found = compare_files(
        write(tmp_path / "p.nrrd", labels), write(tmp_path / "r.nii.gz", labels), TUMOUR.scheme
    )
    assert [(r.dice, r.hd95_mm) for r in found.values()] == [(1.0, 0.0)] * 3
    assert found["ET"].predicted_ml == found["ET"].reference_ml == 0.006
    assert found["WT"].reference_ml == 1.2


def test_distances_are_in_mm(tmp_path: Path, labels: np.ndarray) -> None:
    moved = np.roll(labels, 1, axis=0)
    found = compare_files(
        write(tmp_path / "p.nii.gz", moved), write(tmp_path / "r.nii.gz", labels), TUMOUR.scheme
    )
    assert found["WT"].hd95_mm == pytest.approx(2.0)
    assert found["WT"].dice == pytest.approx(5 / 6)


def test_what_only_the_reference_shows_is_missed(tmp_path: Path, labels: np.ndarray) -> None:
    found = compare_files(
        write(tmp_path / "p.nii.gz", labels * 0),
        write(tmp_path / "r.nii.gz", labels),
        TUMOUR.scheme,
    )
    assert list(found) == ["ET", "TC", "WT"]
    assert found["WT"].model_dump(mode="json") == {
        "outcome": "missed",
        "dice": 0.0,
        "hd95_mm": 373.128664,
        "predicted_ml": 0.0,
        "reference_ml": 1.2,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path, array: write(path, array, (-10, 5, 3.0)), r"lies up to 0.5 mm from r.nii.gz"),
        (lambda path, array: write(path, array[:-1]), r"\(30, 20, 9\) voxels against \(30, 20, 10"),
    ],
)
def test_other_grids_are_refused(tmp_path: Path, labels: np.ndarray, change, message: str) -> None:
    changed = change(tmp_path / "p.nii.gz", labels)
    truth = write(tmp_path / "r.nii.gz", labels)
    with pytest.raises(InputError, match=message) as refused:
        compare_files(changed, truth, TUMOUR.scheme)
    assert "resample" in str(refused.value)


def test_rounding_of_headers_is_tolerated(tmp_path: Path, labels: np.ndarray) -> None:
    prediction = write(tmp_path / "p.nii.gz", labels, (-10.01, 5.01, 2.5))
    truth = write(tmp_path / "r.nii.gz", labels)
    found = compare_files(prediction, truth, TUMOUR.scheme)
    assert found["WT"].dice == 1.0
