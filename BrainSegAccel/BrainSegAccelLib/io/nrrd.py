"""NRRD images through SimpleITK: data in the file (``.nrrd``) or beside it (``.nhdr``)."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError
from ..geometry.volume import Volume
from . import itk
from .dimensions import volume_size
from .gzipped import unpack

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


def read_nrrd(path: Path) -> Volume:
    """Read a three-dimensional NRRD image; trailing axes of length one are dropped.

    :returns: float32 (k, j, i), affine to LPS mm.
    :raises InputError: not NRRD, truncated, corrupt, or not one 3-D scalar image.
    """
    _check_gzip(path)
    reader = itk.file_reader(path, "NrrdImageIO")
    with itk.errors_as_input(path, "NRRD"):
        reader.ReadImageInformation()
    itk.check_scalar(reader, path)
    size = volume_size(reader.GetSize(), path)
    reader.SetExtractSize([*size, *[0] * (reader.GetDimension() - 3)])
    with itk.errors_as_input(path, "NRRD"):
        image = reader.Execute()
    return Volume(itk.array_of(image), itk.affine_of(image), path.name)


def _check_gzip(path: Path) -> None:
    """Verify the checksum of gzip data in the file itself, which ITK does not.

    :raises InputError: not NRRD, or truncated or corrupt data.
    """
    content = path.read_bytes()
    if not content.startswith(b"NRRD"):
        raise InputError("not an NRRD image", where=str(path), remedy="give an MR volume")
    end = _END_OF_HEADER.search(content)
    header = content[: end.start()].lower() if end else b""
    if end and re.search(rb"^encoding: *(gz|gzip) *\r?$", header, re.MULTILINE):
        unpack(content[end.end() :], path)
