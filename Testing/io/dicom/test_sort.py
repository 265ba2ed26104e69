"""A study as the scanner sent it: sorted, one volume a sequence, and what was chosen is said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.dicom.sort import sort_study
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.source import find_sources
from BrainSegAccelLib.study.modality import Modality
from dicom_phantom import TIMES, enhanced, head, save, save_series, save_study
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

T1, T1C, T2, FLAIR = Modality.T1, Modality.T1C, Modality.T2, Modality.FLAIR


def numbers(folder: Path) -> dict[Modality, int | None]:
    return {m: stack.slices[0].series_number for m, stack in sort_study(folder).items()}


@pytest.mark.parametrize("nested", [False, True])
def test_a_study_with_a_localiser(tmp_path: Path, nested: bool) -> None:
    save_study(tmp_path, nested=nested)
    (tmp_path / "readme.txt").write_text("hello")
    assert numbers(tmp_path) == {T1: 2, T1C: 3, T2: 4, FLAIR: 5}
    study = read_study(find_sources(tmp_path))
    for modality, number in numbers(tmp_path).items():
        assert number is not None
        truth = head(seed=number)
        np.testing.assert_array_equal(study[modality].array, truth.array)
        assert study[modality].grid.same_as(truth.grid)
    assert not any(stack.remarks for stack in sort_study(tmp_path).values())


def test_names_of_files_go_before_headers(tmp_path: Path) -> None:
    save_study(tmp_path / "dicom")
    (tmp_path / "T2.nii.gz").write_bytes(b"x")
    assert find_sources(tmp_path) == {T2: tmp_path / "T2.nii.gz"}


def test_anonymised_multi_frame_files(tmp_path: Path) -> None:
    for number, modality in enumerate((T1, T2, FLAIR), start=1):
        dataset = enhanced(head(seed=number), number=number, **TIMES[modality])
        if modality is T1:
            dataset.ContrastBolusAgentSequence = [Dataset()]
        save([dataset], tmp_path, f"E{number}_")
    assert numbers(tmp_path) == {T1C: 1, T2: 2, FLAIR: 3}


def test_two_echoes_in_one_multi_frame_file(tmp_path: Path) -> None:
    """Half of the frames are proton density."""
    truth = head()
    dataset = enhanced(truth, [*range(12), *range(12)], SeriesDescription="PD T2 TSE", **TIMES[T2])
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        echo = Dataset()
        echo.EffectiveEchoTime = 15.0 if index < 12 else 100.0
        frame.MREchoSequence = [echo]
    voxels = np.frombuffer(dataset.PixelData, "<i2").reshape(24, -1).copy()
    voxels[:12] = 7
    dataset.PixelData = voxels.tobytes()
    save([dataset], tmp_path)
    stacks = sort_study(tmp_path)
    assert list(stacks) == [T2]
    np.testing.assert_array_equal(read_study(dict(stacks))[T2].array, truth.array)


CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "whole head before part": [
        {"shape": (40, 90, 90), "spacing": (1.2, 1.2, 3.0)},
        {"shape": (30, 90, 90), "spacing": (1.2, 1.2, 1.0)},
    ],
    "original before reformatted": [
        {"spacing": (1.2, 1.2, 4.0)},
        {"spacing": (1.0, 1.0, 1.0), "ImageType": ["DERIVED", "SECONDARY", "MPR"]},
    ],
    "finest voxels": [{"spacing": (1.0, 1.0, 2.0)}, {"spacing": (0.8, 0.8, 5.0)}],
    "more slices": [{"shape": (14, 28, 24)}, {"shape": (12, 28, 24)}],
    "the latest": [{"number": 9}, {"number": 4}],
}


@pytest.mark.parametrize("pair", CANDIDATES.values(), ids=CANDIDATES.keys())
@pytest.mark.parametrize("turned", [False, True])
def test_of_several_candidates_the_rule_takes_one_and_says_so(
    tmp_path: Path, pair: list[dict[str, Any]], turned: bool
) -> None:
    for number, options in list(enumerate(pair, start=1))[:: -1 if turned else 1]:
        shown = {key: options[key] for key in ("shape", "spacing") if key in options}
        tags = {key: value for key, value in options.items() if key not in shown}
        save_series(
            tmp_path / f"{number}",
            head(**shown),
            **{"number": number, "SeriesDescription": "AX FLAIR", **tags},
        )
    stack = sort_study(tmp_path)[FLAIR]
    assert stack.files[0].parent.name == "1"
    (remark,) = stack.remarks
    first, second = (options.get("number", n) for n, options in enumerate(pair, start=1))
    assert remark.startswith(f"series {first} (")
    assert f"was taken, not series {second} (" in remark
    assert "whole head before part, original before reformatted" in remark


def test_an_unusable_candidate_gives_way_and_is_named(tmp_path: Path) -> None:
    save_series(tmp_path, head(), "A", number=1, SeriesDescription="T2")
    finer = head(spacing=(1.25, 1.5, 2.0))
    save_series(tmp_path, finer, "B", number=2, SeriesDescription="T2")[5].unlink()
    stack = sort_study(tmp_path)[T2]
    assert stack.slices[0].series_number == 1
    assert stack.remarks[0] == "series 2 (11 slices, 2.2 mm) could be T2 but is unusable"


def test_the_only_candidate_must_be_usable(tmp_path: Path) -> None:
    save_study(tmp_path)
    (tmp_path / "S4_0005").unlink()
    with pytest.raises(InputError, match=r"series 4: DICOM slices .* slices are missing"):
        sort_study(tmp_path)
    assert T2 not in sort_study(tmp_path, given={T2})


def test_mixed_patients_and_studies(tmp_path: Path) -> None:
    save_study(tmp_path)
    save_series(tmp_path, head(), "X", number=9, PatientID="OTHER")
    with pytest.raises(InputError, match="images of 2 patients"):
        sort_study(tmp_path)
    for file in tmp_path.glob("X*"):
        file.unlink()
    save_series(tmp_path, head(), "X", number=9, study="1.2.999")
    with pytest.raises(InputError, match="images of 2 studies"):
        sort_study(tmp_path)


def test_other_kinds_of_objects_are_left_out(tmp_path: Path) -> None:
    save_study(tmp_path)
    save_series(
        *(tmp_path, head(), "C"),
        **{"number": 9, "Modality": "CT", "SOPClassUID": CTImageStorage},
        SeriesDescription="T1",
    )
    assert numbers(tmp_path)[T1] == 2


def test_nothing_recognised(tmp_path: Path) -> None:
    save_series(tmp_path, head(), SeriesDescription="AX SWI")
    with pytest.raises(InputError, match="no DICOM series is recognised as T1, T1c, T2 or FLAIR"):
        find_sources(tmp_path)


def test_copies_in_another_folder_are_stated(tmp_path: Path) -> None:
    save_study(tmp_path / "a", nested=True)
    shutil.copytree(tmp_path / "a" / "S3", tmp_path / "b")
    stacks = sort_study(tmp_path)
    assert len(stacks[T1C].slices) == 12
    assert stacks[T1C].remarks == ("12 DICOM files are copies of others and were left out",)
