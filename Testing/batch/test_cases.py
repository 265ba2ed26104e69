"""Which folders are cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from BrainSegAccelLib.batch.cases import find_cases
from BrainSegAccelLib.errors import InputError


def names(root: Path, *folders: str) -> list[str]:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    (root / "participants.tsv").write_text("")
    return [case.name for case in find_cases(root, root / "out")]


def test_a_folder_for_each_case(tmp_path: Path) -> None:
    assert names(tmp_path, "b", "a", ".hidden", "out", "c d/dicom") == ["a", "b", "c d"]


def test_subjects_and_sessions(tmp_path: Path) -> None:
    folders = ["sub-02/anat", "sub-01/ses-b/anat", "sub-01/ses-a/anat", "derivatives/sub-9", "code"]
    assert names(tmp_path, *folders) == ["sub-01_ses-a", "sub-01_ses-b", "sub-02"]
    assert find_cases(tmp_path, tmp_path)[0].folder == tmp_path / "sub-01" / "ses-a"


@pytest.mark.parametrize("folders", [[], ["out"], [".hidden"]])
def test_no_case(tmp_path: Path, folders: list[str]) -> None:
    with pytest.raises(InputError, match="holds no folder of a case"):
        names(tmp_path, *folders)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "absent", tmp_path)
