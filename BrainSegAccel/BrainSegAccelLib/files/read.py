"""Image files in: one path, one volume; four paths, one checked study."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import InputError
from ..modality import Modality
from ..study import Study
from ..volume import Volume
from .formats import FORMATS, NIFTI_SUFFIXES, NRRD_SUFFIXES, is_dicom


def read_study(paths: Mapping[Modality, Path]) -> Study:
    """Read the volumes of one patient side by side and check them.

    :raises InputError: as `read_volume` and `Study` do; one file given for two modalities.
    """
    _check_distinct(paths)
    with ThreadPoolExecutor(max_workers=max(1, len(paths))) as pool:
        volumes = pool.map(read_volume, paths.values())
        return Study(dict(zip(paths, volumes, strict=True)))


def read_volume(path: Path) -> Volume:
    """Read a NIfTI or NRRD file, or a folder that holds one DICOM series.

    :returns: float32 (k, j, i), affine to LPS mm in float64, named by the file's name. Its values
        and its geometry are checked by `Study`.
    :raises InputError: missing, empty, truncated, corrupt, not an image, not three-dimensional,
        colour or vector voxels, none or several DICOM series.
    """
    try:
        read = _reader_of(path)
        return read(path)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})",
            where=str(path),
            remedy="check the file and its permissions",
        ) from error


def _reader_of(path: Path) -> Callable[[Path], Volume]:
    """Return the reader for what lies at ``path``; SimpleITK loads only where it is needed."""
    if not path.exists():
        raise InputError("no such file or folder", where=str(path), remedy="check the path")
    if path.is_dir():
        from .dicom import read_dicom

        return read_dicom
    name = path.name.lower()
    if path.stat().st_size == 0:
        raise InputError("empty file", where=str(path), remedy="copy or export it again")
    if name.endswith(NIFTI_SUFFIXES):
        from .nifti import read_nifti

        return read_nifti
    if name.endswith(NRRD_SUFFIXES):
        from .nrrd import read_nrrd

        return read_nrrd
    if is_dicom(path):
        raise InputError(
            "a single DICOM file", where=str(path), remedy="give the folder of its series"
        )
    raise InputError("not an image file that is read", where=str(path), remedy=f"give {FORMATS}")


def _check_distinct(paths: Mapping[Modality, Path]) -> None:
    seen: dict[str, Modality] = {}
    for modality, path in paths.items():
        other = seen.setdefault(os.path.realpath(path), modality)
        if other is not modality:
            raise InputError(
                f"given both as {other.label} and as {modality.label}",
                where=str(path),
                remedy="give each modality its own file, or leave out the one that is missing",
            )
