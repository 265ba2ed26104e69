"""The MR slices of a folder, of one patient and one study."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import InputError
from ..formats import image_stem, is_dicom
from ..hashing import sha256_of
from .header import DamagedError, Header, Slice, read_header

_SUFFIXES = {".dcm", ".ima"}


def holds_dicom(folder: Path) -> bool:
    """Whether a folder or a folder below it holds a DICOM file."""
    return any(is_dicom(file) for file in _files(folder, below=True))


def scan(folder: Path, *, below: bool) -> tuple[list[Slice], tuple[str, ...]]:
    """Read the headers of all DICOM files; a file that lies there twice counts once.

    :param below: whether to look in folders below it, too.
    :returns: the MR slices and what was left out, in words.
    :raises InputError: damaged files, no MR image, or images of several patients or studies.
    """
    headers, damaged = [], []
    for file in _files(folder, below):
        try:
            headers.append(read_header(file))
        except DamagedError:
            damaged.append(file.relative_to(folder).as_posix())
    if damaged:
        raise InputError(
            f"{len(damaged)} damaged DICOM files, the first {damaged[0]}",
            where=str(folder),
            remedy="export the whole series again",
        )
    slices, remarks = _without_copies([s for header in headers for s in header.slices], folder)
    if not slices:
        raise InputError(
            _no_image(headers),
            where=str(folder),
            remedy="give a folder that holds MR series, one file a slice or multi-frame",
        )
    _check_one(folder, "patients", {s.patient for s in slices})
    _check_one(folder, "studies", {s.study for s in slices})
    return slices, remarks


def _files(folder: Path, below: bool) -> Iterator[Path]:
    """Yield what may be DICOM, in a fixed order; hidden files and folders are passed over."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if below and not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            if name.startswith(".") or name.upper() == "DICOMDIR" or image_stem(name) is not None:
                continue
            if file.suffix.lower() in _SUFFIXES or is_dicom(file):
                yield file


def _no_image(headers: Sequence[Header]) -> str:
    kinds = Counter(header.modality or "unknown" for header in headers)
    if not kinds:
        return "folder without DICOM images"
    shown = ", ".join(f"{count} {kind[:8]}" for kind, count in sorted(kinds.items()))
    return f"folder without MR images ({shown})"


def _check_one(folder: Path, what: str, found: set[str]) -> None:
    if len(found) > 1:
        raise InputError(
            f"DICOM images of {len(found)} {what}",
            where=str(folder),
            remedy=f"give a folder with one of the {what} only",
        )


def _without_copies(slices: Sequence[Slice], folder: Path) -> tuple[list[Slice], tuple[str, ...]]:
    """Drop copies of a file.

    :raises InputError: two files of different content have one identifier.
    """
    kept: dict[tuple[str, int | None], Slice] = {}
    copies: set[Path] = set()
    for one in slices:
        first = kept.setdefault((one.instance, one.frame), one)
        if first is not one and one.file not in copies:
            if sha256_of(first.file) != sha256_of(one.file):
                raise InputError(
                    f"{first.file.name} and {one.file.name} differ but carry one identifier",
                    where=str(folder),
                    remedy="remove the wrong one or export the series again",
                )
            copies.add(one.file)
    said = f"{len(copies)} DICOM files are copies of others and were left out"
    return list(kept.values()), (said,) if copies else ()
