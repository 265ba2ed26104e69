"""The cases of a folder: subjects and sessions of a BIDS data set, or one folder a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io.discover import listing


@dataclass(frozen=True)
class Case:
    """One study of one patient.

    :param name: unique among the cases, part of the names of its results.
    """

    name: str
    folder: Path


def find_cases(root: Path, output: Path) -> list[Case]:
    """Find the cases of a folder, sorted by name.

    Where a subfolder is named ``sub-…``, as BIDS asks, those are the subjects and everything else
    (``derivatives``, ``sourcedata``, ``code``) is left out; a subject's sessions are a case each.
    Elsewhere every subfolder is a case. What a case holds is seen when it is run.

    :param output: the folder of the results, which is no case.
    :raises InputError: not a folder, or no case in it.
    """
    if not root.is_dir():
        raise InputError(
            "no such folder", where=str(root), remedy="give a folder with a folder for each case"
        )
    with listing(root):
        folders = [path for path in _subfolders(root) if path.resolve() != output.resolve()]
        subjects = [path for path in folders if path.name.startswith("sub-")]
        cases = [Case(path.name, path) for path in folders]
        if subjects:
            cases = [case for subject in subjects for case in _sessions(subject)]
    if not cases:
        raise InputError(
            "holds no folder of a case",
            where=str(root),
            remedy="give a BIDS data set or a folder with a folder for each case",
        )
    return cases


def _sessions(subject: Path) -> list[Case]:
    sessions = [path for path in _subfolders(subject) if path.name.startswith("ses-")]
    named = [Case(f"{subject.name}_{path.name}", path) for path in sessions]
    return named or [Case(subject.name, subject)]


def _subfolders(folder: Path) -> list[Path]:
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(path for path in entries if path.is_dir())
