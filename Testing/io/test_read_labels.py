from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.study.label_scheme import Label
from BrainSegAccelLib.study.terminology import terminology_entry
from label_schemes import POSTOPERATIVE, TUMOUR


def write(path: Path, array: np.ndarray, metadata: dict[str, str] | None = None) -> Path:
    image = sitk.GetImageFromArray(array)
    for key, value in (metadata or {}).items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def values() -> np.ndarray:
    array = np.zeros((4, 5, 6), dtype=np.uint8)
    array[1, 1, 1:5] = [1, 2, 2, 4]
    return array


@pytest.mark.parametrize("name", ["labels.nii", "labels.nii.gz", "labels.nrrd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_formats_and_types(tmp_path: Path, values: np.ndarray, name: str, dtype: type) -> None:
    found = read_labels(write(tmp_path / name, values.astype(dtype)), TUMOUR.scheme)
    assert found.labels.dtype == np.uint8
    assert found.labels[1, 1, 1:5].tolist() == [1, 2, 2, 3]
    assert found.labels.sum() == 8
    assert found.scheme is TUMOUR.scheme


@pytest.mark.parametrize(
    ("value", "shown"), [(5, "5"), (-1, "-1"), (0.5, "0.5"), (np.nan, "nan"), (1e20, r"1e\+20")]
)
def test_what_is_not_a_label_is_refused(
    tmp_path: Path, values: np.ndarray, value: float, shown: str
) -> None:
    array = values.astype(np.float32)
    array[0, 0, 0] = value
    with pytest.raises(InputError, match=rf"x\.nrrd: value {shown} is no label of "):
        read_labels(write(tmp_path / "x.nrrd", array), TUMOUR.scheme)


def test_a_value_of_another_scheme_is_refused_by_name_and_value(
    tmp_path: Path, values: np.ndarray
) -> None:
    values[0, 0, 0] = 7
    message = "value 7 is no label of 'a label scheme for tests'; .*3 or 6 bright rim, 4 resection"
    with pytest.raises(InputError, match=message):
        read_labels(write(tmp_path / "x.nrrd", values), POSTOPERATIVE.scheme)
    values[0, 0, 0] = 6
    found = read_labels(write(tmp_path / "x.nrrd", values), POSTOPERATIVE.scheme).labels
    assert found[0, 0, 0] == 3
    assert found[1, 1, 4] == 4


def test_two_conventions_in_one_map_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    """4 beside 3 is a cavity (BraTS 2024), not enhancing tumour (BraTS up to 2021)."""
    values[0, 0, 0] = 3
    with pytest.raises(InputError, match="values 3 and 4 would both be 'Enhancing tumour'"):
        read_labels(write(tmp_path / "x.nrrd", values), TUMOUR.scheme)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "none.nii.gz", TUMOUR.scheme)


def test_a_damaged_file_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    whole = write(tmp_path / "x.nii.gz", values).read_bytes()
    (tmp_path / "x.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_labels(tmp_path / "x.nii.gz", TUMOUR.scheme)
    (tmp_path / "x.seg.nrrd").write_text("not an image")
    with pytest.raises(InputError, match=r"x\.seg\.nrrd"):
        read_labels(tmp_path / "x.seg.nrrd", TUMOUR.scheme)


def segment(index: int, **fields: str) -> dict[str, str]:
    return {f"Segment{index}_{key}": value for key, value in fields.items()}


def tags(label: Label) -> str:
    return f"TerminologyEntry:{terminology_entry(label, TUMOUR.scheme)}|"


@pytest.mark.parametrize(
    "describe",
    [
        lambda s: {"ID": s.identifier, "Name": "x"},
        lambda s: {"ID": "Segment_1", "Name": s.name.upper()},
        lambda s: {"ID": "Segment_1", "Name": "x", "Tags": tags(s)},
    ],
    ids=["identifier", "name", "terminology"],
)
def test_segments_may_be_numbered_in_any_way(tmp_path: Path, values: np.ndarray, describe) -> None:
    # The file numbers enhancing tumour 1, oedema 2 and necrotic core 4.
    metadata: dict[str, str] = {}
    for index, (value, known) in enumerate(zip((4, 2, 1), TUMOUR.scheme.labels, strict=True)):
        metadata |= segment(index, LabelValue=str(value), Layer="0", **describe(known))
    found = read_labels(write(tmp_path / "x.seg.nrrd", values, metadata), TUMOUR.scheme)
    assert found.labels[1, 1, 1:5].tolist() == [3, 2, 2, 1]


def test_a_segmentation_file_without_segments_is_a_label_map(
    tmp_path: Path, values: np.ndarray
) -> None:
    found = read_labels(write(tmp_path / "x.seg.nrrd", values), TUMOUR.scheme)
    assert found.labels[1, 1, 1:5].tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            segment(0, ID="a", Name="Skull", LabelValue="1", Layer="0"),
            "segment 'Skull' of value 1 is no label of",
        ),
        (segment(0, ID="oedema", Name="x", LabelValue="2", Layer="0"), "label 1, 4 belongs to"),
        (
            segment(0, ID="oedema", Name="x", LabelValue="1", Layer="0")
            | segment(1, ID="necrotic_core", Name="x", LabelValue="1", Layer="1"),
            "segments overlap",
        ),
    ],
)
def test_segments_that_cannot_be_evaluated(
    tmp_path: Path, values: np.ndarray, metadata: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(write(tmp_path / "x.seg.nrrd", values, metadata), TUMOUR.scheme)
