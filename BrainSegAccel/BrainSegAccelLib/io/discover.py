"""Finds the four modalities of a case by the names of its files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..study.modality import Modality
from .formats import image_stem
from .sequence_names import modality_of, names_other

_LOOKED_FOR = "names with t1, t1c (t1ce, t1gd, T1 post, ce-gadolinium_T1w), t2 or flair"


def discover(case_dir: Path, given: Collection[Modality] = ()) -> dict[Modality, Path]:
    """Find one image for each modality of a case, in channel order; modalities may be missing.

    Looks at images in the folder itself, in BIDS' ``anat`` below it or below its sessions, and at
    subfolders that are named like a modality: those hold one image or one DICOM series.

    :param given: modalities that need not be found because the user named their files.
    :raises InputError: not a folder; nothing found; two files for one modality.
    """
    if not case_dir.is_dir():
        raise InputError(
            "no such folder", where=str(case_dir), remedy="give the folder of one case"
        )
    found: dict[Modality, list[Path]] = {}
    with listing(case_dir):
        for name, path in _candidates(case_dir):
            modality = modality_of(name)
            if modality is not None and modality not in given:
                found.setdefault(modality, []).append(path)
    for modality, paths in found.items():
        if len(paths) > 1:
            names = ", ".join(sorted(path.relative_to(case_dir).as_posix() for path in paths))
            raise InputError(
                f"{len(paths)} files could be {modality.label} ({names})",
                where=str(case_dir),
                remedy=f"say which one with --{modality} FILE",
            )
    if not found and not given:
        raise InputError(
            f"no image is named like an MR sequence ({_LOOKED_FOR})",
            where=str(case_dir),
            remedy="name the files with --t1, --t1c, --t2 and --flair",
        )
    return {modality: found[modality][0] for modality in Modality if modality in found}


@contextmanager
def listing(folder: Path) -> Iterator[None]:
    """Turn what the system says against listing a folder in the body into an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be listed ({error.strerror or error})",
            where=str(folder),
            remedy="check the permissions of the folder",
        ) from error


def names_an_image(case_dir: Path) -> bool:
    """Whether an image file (not a folder) of a case is named like one of the four sequences."""
    return any(path.is_file() and modality_of(name) for name, path in _candidates(case_dir))


def _candidates(case_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name to judge by, path to read) of everything that could be an input."""
    for folder in (case_dir, *case_dir.glob("anat"), *case_dir.glob("ses-*/anat")):
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from ((entry.name, path) for path in _inside(entry))
            elif (stem := image_stem(entry.name)) is not None:
                yield stem, entry


def _inside(folder: Path) -> list[Path]:
    """Return the image files of a folder, or the folder itself if its files may be DICOM."""
    files = [file for file in folder.iterdir() if file.is_file() and file.name[0] != "."]
    images = [file for file in files if (stem := image_stem(file.name)) and not names_other(stem)]
    return images or ([folder] if files else [])
