"""NIfTI-1 and NIfTI-2 single files through SimpleITK, with the checks that ITK leaves out.

ITK returns zeros or noise without a word for a truncated or corrupt file, and where sform and
qform contradict each other it follows one of them in silence. Field names are those of
``nifti1.h``, https://nifti.nimh.nih.gov/nifti-1.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import Grid, Volume
from . import itk
from .dimensions import volume_size
from .gzipped import MAGIC, unpack

_HEADER_BYTES, _FIRST_VOXEL = 348, 352
_DIM_OFFSET, _DATATYPE_OFFSET, _PIXDIM_OFFSET = 40, 70, 76
_VOX_OFFSET_OFFSET, _QFORM_CODE_OFFSET, _MAGIC_OFFSET = 108, 252, 344
_DATATYPES = {2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1792, 2304}
_FLOATS = {16: "f4", 64: "f8"}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_AGREE_MM = 0.25
"""How far apart sform and qform may place a corner: a quaternion in float32 rounds to about 0.1."""

_EXPORT_AGAIN = "copy or export the file again"


def read_nifti(path: Path) -> Volume:
    """Read a three-dimensional NIfTI image; trailing axes of length one are dropped.

    :returns: float32 (k, j, i), scaled by slope and intercept, affine to LPS mm.
    :raises InputError: not NIfTI, truncated, corrupt, not one 3-D scalar image, without position,
        or with an sform and a qform that place the image at different positions.
    """
    content = path.read_bytes()
    if content.startswith(MAGIC):
        content = unpack(content, path)
    order = _byte_order(content, path)
    _check_header(content, order, path)
    reader = itk.file_reader(path, "NiftiImageIO")
    with itk.errors_as_input(path, "NIfTI"):
        reader.ReadImageInformation()
    itk.check_scalar(reader, path)
    size = volume_size(reader.GetSize(), path)
    _check_voxels(content, order, reader, path)
    reader.SetExtractSize([*size, *[0] * (reader.GetDimension() - 3)])
    with itk.errors_as_input(path, "NIfTI"):
        image = reader.Execute()
    volume = Volume(itk.array_of(image), itk.affine_of(image), path.name)
    (handed,) = struct.unpack_from(order + "f", content, _PIXDIM_OFFSET)
    _check_forms(volume.grid, reader, handed, path)
    return volume


def _byte_order(content: bytes, path: Path) -> str:
    """Return ``<`` or ``>``; refuse what is not a single-file NIfTI-1 image."""
    if len(content) < _HEADER_BYTES:
        raise InputError("truncated or not a NIfTI image", where=str(path), remedy=_EXPORT_AGAIN)
    for order in "<>":
        (size,) = struct.unpack_from(order + "i", content)
        if size == 540:
            raise InputError(
                "NIfTI-2, which is not read", where=str(path), remedy="convert it to NIfTI-1"
            )
        if size == _HEADER_BYTES:
            if content[_MAGIC_OFFSET : _MAGIC_OFFSET + 4] != b"n+1\0":
                raise InputError(
                    "not a single-file NIfTI image",
                    where=str(path),
                    remedy="convert a .hdr/.img pair to .nii.gz",
                )
            return order
    raise InputError("not a NIfTI image", where=str(path), remedy="give an MR volume")


def _check_header(content: bytes, order: str, path: Path) -> None:
    """Refuse what makes ITK's NIfTI library and its matrix solver write to the console."""
    rank, *sizes = struct.unpack_from(order + "8h", content, _DIM_OFFSET)
    (datatype,) = struct.unpack_from(order + "h", content, _DATATYPE_OFFSET)
    forms = struct.unpack_from(order + "2h18f", content, _QFORM_CODE_OFFSET)
    used = [*(forms[2:8] if forms[0] > 0 else ()), *(forms[8:] if forms[1] > 0 else ())]
    if not 1 <= rank <= 7 or min(sizes[:rank]) < 1 or datatype not in _DATATYPES:
        raise InputError(
            f"NIfTI header with dimensions {(rank, *sizes)} and voxel type {datatype}",
            where=str(path),
            remedy=_EXPORT_AGAIN,
        )
    if not np.isfinite(used).all():
        raise InputError(
            "the position in the NIfTI header is not a number",
            where=str(path),
            remedy=_EXPORT_AGAIN,
        )


def _check_voxels(content: bytes, order: str, reader: sitk.ImageFileReader, path: Path) -> None:
    """Refuse a file that ends before its last voxel, and NaN, which ITK turns into zero."""
    (offset,) = struct.unpack_from(order + "f", content, _VOX_OFFSET_OFFSET)
    voxels = int(np.prod([int(n) for n in reader.GetSize()], dtype=np.int64))
    end = offset + voxels * int(reader.GetMetaData("bitpix")) / 8
    if not _FIRST_VOXEL <= offset < end <= len(content):
        raise InputError(
            f"truncated NIfTI file: {len(content)} of {end:.0f} bytes are there",
            where=str(path),
            remedy=_EXPORT_AGAIN,
        )
    kind = _FLOATS.get(int(reader.GetMetaData("datatype")))
    if kind:
        stored = np.frombuffer(content, order + kind, voxels, int(offset))
        count = int(np.count_nonzero(~np.isfinite(stored)))
        if count:
            raise InputError(
                f"{count} voxels are NaN or infinite",
                where=str(path),
                remedy="repair or export it again",
            )


def _check_forms(grid: Grid, reader: sitk.ImageFileReader, handed: float, path: Path) -> None:
    """Refuse a header whose sform or qform places the image elsewhere than ITK does.

    :param grid: as ITK has it; in mm, while the header may be in metres.
    :param handed: first entry of pixdim; negative where the third axis is flipped.
    """

    def number(key: str) -> float:
        return float(reader.GetMetaData(key))

    forms = []
    if number("sform_code") > 0:
        rows = [reader.GetMetaData(f"srow_{axis}").split() for axis in "xyz"]
        forms.append(np.array([*rows, [0, 0, 0, 1]], dtype=np.float64))
    if number("qform_code") > 0:
        versor = [number(f"quatern_{part}") for part in "bcd"]
        real = np.sqrt(max(0.0, 1.0 - np.square(versor).sum()))
        rotation = sitk.VersorTransform([*versor, real]).GetMatrix()
        spacing = [number(f"pixdim[{axis}]") for axis in (1, 2, 3)]
        spacing[2] *= -1.0 if handed < 0 else 1.0
        qform = np.eye(4)
        qform[:3, :3] = np.reshape(rotation, (3, 3)) * spacing
        qform[:3, 3] = [number(f"qoffset_{axis}") for axis in "xyz"]
        forms.append(qform)
    if not forms:
        raise InputError(
            "the NIfTI header tells no position and orientation (sform and qform codes are 0)",
            where=str(path),
            remedy="convert the scanner's images again, or set the right sform",
        )
    for form in forms:
        length = float(np.linalg.norm(form[:3, 0]))
        unit_mm = 1000.0 if length and grid.spacing[0] / length > 500.0 else 1.0
        other = Grid(grid.shape, _RAS_TO_LPS @ np.diag([unit_mm] * 3 + [1.0]) @ form)
        apart = float(np.linalg.norm(grid.corners() - other.corners(), axis=1).max())
        if not apart <= _AGREE_MM:
            raise InputError(
                f"sform and qform place the image up to {apart:.1f} mm apart",
                where=str(path),
                remedy="make them agree, e.g. with fslorient -copysform2qform",
            )
