"""Image files in: one path, one volume; four paths, one checked study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import InputError
from ..geometry.volume import Volume
from ..study.modality import Modality
from ..study.study import Study
from .formats import FORMATS, NIFTI_SUFFIXES, NRRD_SUFFIXES
from .source import Source, identity_of, name_of, open_source


def read_study(sources: Mapping[Modality, Source]) -> Study:
    """Read the volumes of one patient side by side and check them.

    :raises InputError: as `read_volume` and `Study` do; one file given for two modalities.
    """
    _check_distinct(sources)
    with ThreadPoolExecutor(max_workers=max(1, len(sources))) as pool:
        volumes = pool.map(read_volume, sources.values())
        return Study(dict(zip(sources, volumes, strict=True)))


def read_volume(source: Source) -> Volume:
    """Read a NIfTI or NRRD file, a stack of DICOM slices, or a folder or file that holds one.

    :returns: float32 (k, j, i), affine to LPS mm in float64, named by the file's name. Its values
        and its geometry are checked by `Study`.
    :raises InputError: missing, empty, truncated, corrupt, not an image, not three-dimensional,
        colour or vector voxels, none or several DICOM series.
    """
    try:
        opened = open_source(source) if isinstance(source, Path) else source
        if isinstance(opened, Path):
            return _reader_of(opened)(opened)
        from .dicom.read import read_stack

        return read_stack(opened)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})",
            where=name_of(source),
            remedy="check the file and its permissions",
        ) from error


def _reader_of(path: Path) -> Callable[[Path], Volume]:
    """Return the reader for the file at ``path``; SimpleITK loads only where it is needed."""
    if not path.exists():
        raise InputError("no such file or folder", where=str(path), remedy="check the path")
    name = path.name.lower()
    if path.stat().st_size == 0:
        raise InputError("empty file", where=str(path), remedy="copy or export it again")
    if name.endswith(NIFTI_SUFFIXES):
        from .nifti import read_nifti

        return read_nifti
    if name.endswith(NRRD_SUFFIXES):
        from .nrrd import read_nrrd

        return read_nrrd
    raise InputError("not an image file that is read", where=str(path), remedy=f"give {FORMATS}")


def _check_distinct(sources: Mapping[Modality, Source]) -> None:
    seen: dict[object, Modality] = {}
    for modality, source in sources.items():
        other = seen.setdefault(identity_of(source), modality)
        if other is not modality:
            raise InputError(
                f"given both as {other.label} and as {modality.label}",
                where=name_of(source),
                remedy="give each modality its own file, or leave out the one that is missing",
            )
