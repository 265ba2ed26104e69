"""Labelled cases found by folder and file name."""

from __future__ import annotations

from pathlib import Path

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.labelled import case_folders, label_file, labelled_cases
from BrainSegAccelLib.study.modality import Modality


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("flair", "labels"),
    [
        ("flair.nii.gz", "seg.nii.gz"),
        ("BraTS2021_00006_flair.nii.gz", "BraTS2021_00006_seg.nii.gz"),
        ("BraTS-GLI-00000-000-t2f.nii.gz", "BraTS-GLI-00000-000-seg.nii.gz"),
        ("anat/sub-01_FLAIR.nii.gz", "anat/sub-01_dseg.nii.gz"),
        ("flair.nrrd", "Segmentation.seg.nrrd"),
        ("FLAIR/image.nii.gz", "labels/truth.nii"),
    ],
)
def test_modalities_and_labels_are_found(tmp_path: Path, flair: str, labels: str) -> None:
    make(tmp_path / "case", flair, labels, "case_brainmask.nii.gz", "notes_seg.txt")
    (case,) = labelled_cases(tmp_path)
    assert case.name == "case"
    assert case.images == {Modality.FLAIR: tmp_path / "case" / flair}
    assert case.labels == tmp_path / "case" / labels


def test_cases_are_sorted_and_what_is_no_case_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "b/t1.nii", "b/seg.nii", "a/t1.nii", "a/seg.nii", "logs/run.txt", "table.csv")
    make(tmp_path, ".hidden/t1.nii", ".hidden/seg.nii")
    assert [case.name for case in labelled_cases(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["logs/run.txt"], "holds no case"),
        (["a/t1.nii", "a/seg.nii", "b/t1.nii"], "b: has no labels"),
        (["a/t1.nii", "a/seg.nii", "a/labels.nii"], r"a: 2 files could hold its labels \(labels"),
        (["a/seg.nii"], "a: no image is named like an MR sequence"),
        (["a/seg.nii", "a/t1.nii", "a/x_t1.nii"], "a: 2 files could be T1"),
    ],
)
def test_what_is_missing_or_unclear_is_named(
    tmp_path: Path, names: list[str], message: str
) -> None:
    make(tmp_path, *names)
    with pytest.raises(InputError, match=message) as error:
        labelled_cases(tmp_path)
    assert "\n" not in str(error.value)


def test_a_file_is_no_folder_of_cases(tmp_path: Path) -> None:
    make(tmp_path, "file")
    with pytest.raises(InputError, match="cannot be listed"):
        labelled_cases(tmp_path / "file")


def test_cases_are_found_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, "site/a/t1.nii", "site/a/anat/seg.nii", "b/T2/image.nrrd", "b/T2/seg.nii")
    make(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", "sub-01/anat/sub-01_dseg.nii.gz")
    make(tmp_path, "logs/run.txt", "derivatives/mask.nii")
    names = [path.relative_to(tmp_path).as_posix() for path in case_folders(tmp_path)]
    assert names == ["b", "site/a", "sub-01"]
    assert case_folders(tmp_path / "b") == [tmp_path / "b"]


def test_several_sessions_are_a_case_each(tmp_path: Path) -> None:
    for session in ("sub-1/ses-1", "sub-1/ses-2", "sub-2/ses-1"):
        make(tmp_path, f"{session}/anat/x_T1w.nii", f"{session}/anat/x_dseg.nii")
    names = [path.relative_to(tmp_path).as_posix() for path in case_folders(tmp_path)]
    assert names == ["sub-1/ses-1", "sub-1/ses-2", "sub-2"]


def test_labels_alone_are_a_case_unless_cases_lie_below(tmp_path: Path) -> None:
    make(tmp_path, "one/seg.nii", "two/atlas_labels.nii", "two/a/t1.nii")
    assert case_folders(tmp_path) == [tmp_path / "one", tmp_path / "two" / "a"]


@pytest.mark.parametrize("result", ["tumour.seg.nrrd", "tumour_seg.nii.gz"])
def test_a_result_of_this_program_is_no_label_file(tmp_path: Path, result: str) -> None:
    stem = result.removesuffix(".seg.nrrd").removesuffix(".nii.gz")
    make(tmp_path, "t1.nii", "truth.nii.gz", result, f"{stem}.manifest.json")
    assert label_file(tmp_path) == tmp_path / "truth.nii.gz"
