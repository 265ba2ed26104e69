"""What a volume is read from: an image file, or a stack of DICOM slices."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..study.modality import Modality
from .discover import discover, listing, names_an_image
from .formats import image_stem, is_dicom
from .hashing import sha256_of, sha256_of_series

if TYPE_CHECKING:
    from .dicom.stack import Stack

Source: TypeAlias = "Path | Stack"


def find_sources(case_dir: Path, given: Collection[Modality] = ()) -> dict[Modality, Source]:
    """Find what to read for each modality of a case, in channel order.

    Image files are found by their names. Where there are none, all DICOM files of the folder and
    of the folders below it are sorted by their headers.

    :param given: modalities that need not be found.
    :raises InputError: as `discover` and `io.dicom.sort.sort_study`.
    """
    with listing(case_dir):
        if case_dir.is_dir() and not names_an_image(case_dir):
            from .dicom.scan import holds_dicom
            from .dicom.sort import sort_study

            if holds_dicom(case_dir):
                return dict(sort_study(case_dir, given))
    return dict(discover(case_dir, given))


def open_source(path: Path) -> Source:
    """Return what to read at a path: a folder and a DICOM file stand for the series they hold.

    :returns: the path itself for any other file, there or not.
    :raises InputError: a folder with no or several volumes; slices that make no volume.
    """
    from_dicom = path.is_dir() or (
        path.is_file() and image_stem(path.name) is None and is_dicom(path)
    )
    if not from_dicom:
        return path
    from .dicom.sort import series_in, series_of

    return series_in(path) if path.is_dir() else series_of(path)


def files_of(source: Source) -> tuple[Path, ...]:
    """Return every file that is read."""
    return (source,) if isinstance(source, Path) else source.files


def name_of(source: Source) -> str:
    """Return where a source lies, for messages."""
    return str(source) if isinstance(source, Path) else source.where


def identity_of(source: Source) -> object:
    """Return a value that is the same for two sources that read the same voxels."""
    if isinstance(source, Path):
        return os.path.realpath(source)
    return os.path.realpath(source.files[0]), source.slices[0].frame


def remarks_of(source: Source | None) -> tuple[str, ...]:
    """Return what was chosen or repaired when the source was opened."""
    return () if source is None or isinstance(source, Path) else source.remarks


def digest_of(source: Source) -> str:
    """Return the SHA-256 by which a manifest names a source."""
    if isinstance(source, Path):
        return sha256_of(source)
    return sha256_of_series(source.files)
