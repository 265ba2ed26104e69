"""Finds labelled cases: one folder a case, with its modalities and the file of its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..study.modality import Modality
from .discover import discover, listing, names_an_image
from .formats import image_stem

GRID_TOLERANCE_MM = 0.1
"""How far labels may lie from the grid of an image and still be on it: far below a voxel, far above
the rounding of headers that store single precision."""
_LABEL_WORDS = frozenset(
    ("seg", "segm", "segmentation", "dseg", "label", "labels", "labelmap", "truth", "gt")
)
_NO_TRUTH = frozenset(("pred", "prediction", "auto", "probseg", "brain", "brainmask"))
_LOOKED_FOR = "one image named seg, segmentation, dseg, labels or truth"


@dataclass(frozen=True)
class LabelledCase:
    """One patient's files.

    :param name: of the case's folder.
    :param images: as `discover` finds them.
    :param labels: file that `read_labels` reads.
    """

    name: str
    images: Mapping[Modality, Path]
    labels: Path


def labelled_cases(folder: Path) -> list[LabelledCase]:
    """Find every case at or below a folder, sorted by path.

    :raises InputError: as `case_folders`; a case whose labels are missing or could be in several
        files; a labelled case in which `discover` finds no modality, or two for one.
    """
    return [
        LabelledCase(path.name, discover(path), label_file(path)) for path in case_folders(folder)
    ]


def case_folders(folder: Path) -> list[Path]:
    """Find the folders of cases at or below a folder, sorted by path.

    A folder in which a modality is found is a case, with all that lies below it; several sessions
    of BIDS are a case each. So is a folder with labels, unless cases lie below it.

    :raises InputError: not a folder, or one that cannot be listed; no case in it.
    """
    with listing(folder):
        found = _cases_below(folder)
    if not found:
        raise InputError(
            "holds no case: no folder with MR images and labels",
            where=str(folder),
            remedy="give a folder with one subfolder a case",
        )
    return found


def _cases_below(folder: Path) -> list[Path]:
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    subfolders = [path for path in entries if path.is_dir()]
    sessions = [path for path in subfolders if path.name.startswith("ses-")]
    if len([path for path in sessions if names_an_image(path)]) > 1:
        return [case for path in sessions for case in _cases_below(path)]
    if names_an_image(folder):
        return [folder]
    below = [case for path in subfolders for case in _cases_below(path)]
    return below or [folder] * any(_holds_labels(path) for path in entries)


def label_file(folder: Path) -> Path:
    """Find the file of a case's labels by its name.

    A segmentation with a manifest beside it is a result of this program, not labels.

    :raises InputError: there is none, or several.
    """
    with listing(folder):
        labels = sorted(path for path in folder.rglob("*") if _holds_labels(path))
    if len(labels) != 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in labels)
        what = f"{len(labels)} files could hold its labels ({names})" if labels else "has no labels"
        raise InputError(what, where=str(folder), remedy=f"leave in it {_LOOKED_FOR}")
    return labels[0]


def _holds_labels(path: Path) -> bool:
    stem = image_stem(path.name)
    if stem is None or path.name.startswith(".") or not path.is_file():
        return False
    words = set(re.findall(r"[a-z0-9]+", stem.lower()))
    if not words & _LABEL_WORDS or words & _NO_TRUTH:
        return False
    return not path.with_name(stem.removesuffix(".seg") + ".manifest.json").exists()
