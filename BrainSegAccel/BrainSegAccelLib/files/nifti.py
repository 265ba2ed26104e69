"""NIfTI-1 and NIfTI-2 single files, decoded here so that a damaged one is refused.

ITK returns zeros or noise without a word for a truncated or corrupt ``.nii.gz``, prefers a qform
that contradicts the sform, and takes pixdim where the sform says otherwise. Reading the bytes
once also gives the checksum test of gzip for free, and is faster.

Layout and formulas: https://nifti.nimh.nih.gov/nifti-1 (``nifti1.h``) and ``nifti2.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..volume import Grid, Volume
from .dimensions import volume_size
from .gzipped import MAGIC, unpack

_HEADER_SIZES = {348: 1, 540: 2}
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_COLOUR, _COMPLEX = {128, 2304}, {32, 1792, 2048}
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_AGREE_MM = 1.0

_EXPORT_AGAIN = "copy or export the file again"


@dataclass(frozen=True)
class _Header:
    """The fields that say where and what the voxels are; names as in ``nifti1.h``."""

    order: str
    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    vox_offset: int
    scl_slope: float
    scl_inter: float
    units: int
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    qoffset: tuple[float, ...]
    srow: NDArray[np.float64]


def read_nifti(path: Path) -> Volume:
    """Read a three-dimensional NIfTI image; trailing axes of length one are dropped.

    :returns: float32 (k, j, i), scaled by slope and intercept, affine to LPS mm as the header has
        it (not re-orthonormalised): the sform, else the qform, else the voxel size alone.
    :raises InputError: not NIfTI, truncated, corrupt, not one 3-D scalar image, or an sform and a
        qform that place the image at different positions.
    """
    data = path.read_bytes()
    if data[:2] == MAGIC:
        data = unpack(data, path)
    header = _parse(data, path)
    shape = _shape(header, path)
    dtype = np.dtype(header.order + _DTYPES[header.datatype])
    count = int(np.prod(shape, dtype=np.int64))
    end = header.vox_offset + count * dtype.itemsize
    if header.vox_offset < 0 or end > len(data):
        raise InputError(
            f"truncated NIfTI file: {len(data)} of {end} bytes are there",
            where=str(path),
            remedy=_EXPORT_AGAIN,
        )
    voxels = np.frombuffer(data, dtype, count, header.vox_offset).reshape(shape)
    return Volume(_scaled(voxels, header), _affine(header, shape, path), path.name)


def _parse(data: bytes, path: Path) -> _Header:
    for order in "<>":
        version = _HEADER_SIZES.get(_field(data, order, 0, "i"))
        if version:
            break
    else:
        raise InputError("not a NIfTI image", where=str(path), remedy="give an MR volume")
    size, magic, at = (348, b"n+1\0", 344) if version == 1 else (540, b"n+2\0", 4)
    if len(data) < size:
        raise InputError("truncated NIfTI header", where=str(path), remedy=_EXPORT_AGAIN)
    if data[at : at + 4] != magic:
        raise InputError(
            "not a single-file NIfTI image",
            where=str(path),
            remedy="convert a .hdr/.img pair to .nii.gz",
        )

    def get(code: str, one: int, two: int) -> tuple:
        """Unpack ``code`` at its offset in NIfTI-1 or NIfTI-2."""
        return struct.unpack_from(order + code, data, one if version == 1 else two)

    # NIfTI-2 widens the same fields: i2 to i8 or i4, f4 to f8.
    wide = version == 2
    real, length, code = ("d", "q", "i") if wide else ("f", "h", "h")
    (vox_offset,) = get("q" if wide else "f", 108, 168)
    scl_slope, scl_inter = get(f"2{real}", 112, 176)
    return _Header(
        order=order,
        dim=get(f"8{length}", 40, 16),
        datatype=get("h", 70, 12)[0],
        pixdim=get(f"8{real}", 76, 104),
        vox_offset=int(vox_offset) if np.isfinite(vox_offset) else -1,
        scl_slope=scl_slope,
        scl_inter=scl_inter,
        units=get("i", 0, 500)[0] & 7 if wide else data[123] & 7,
        qform_code=get(code, 252, 344)[0],
        sform_code=get(code, 254, 348)[0],
        quatern=get(f"3{real}", 256, 352),
        qoffset=get(f"3{real}", 268, 376),
        srow=np.array(get(f"12{real}", 280, 400), dtype=np.float64).reshape(3, 4),
    )


def _field(data: bytes, order: str, offset: int, code: str) -> int:
    size = struct.calcsize(code)
    return struct.unpack_from(order + code, data, offset)[0] if len(data) >= offset + size else 0


def _shape(header: _Header, path: Path) -> tuple[int, int, int]:
    """Return (k, j, i), having checked that this is one 3-D scalar image of a known type."""
    rank = header.dim[0]
    if not 1 <= rank <= 7 or min(header.dim[1 : rank + 1]) < 1:
        raise InputError(
            f"NIfTI header with dimensions {header.dim}", where=str(path), remedy=_EXPORT_AGAIN
        )
    if header.datatype not in _DTYPES:
        kind = {**dict.fromkeys(_COLOUR, "colour"), **dict.fromkeys(_COMPLEX, "complex")}
        raise InputError(
            f"voxels are {kind.get(header.datatype, f'of NIfTI type {header.datatype}')}",
            where=str(path),
            remedy="give an image of plain numbers",
        )
    i, j, k = volume_size(header.dim[1 : rank + 1], path)
    return k, j, i


def _scaled(voxels: NDArray, header: _Header) -> NDArray[np.float32]:
    slope = header.scl_slope
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, which a Study refuses
        if slope == 0 or not np.isfinite(slope):  # the standard's and nibabel's "not scaled"
            return voxels.astype(np.float32)
        inter = header.scl_inter if np.isfinite(header.scl_inter) else 0.0
        if (slope, inter) == (1.0, 0.0):
            return voxels.astype(np.float32)
        return (voxels.astype(np.float64) * slope + inter).astype(np.float32)


def _affine(header: _Header, shape: tuple[int, int, int], path: Path) -> NDArray[np.float64]:
    """Return the 4x4 map from voxel (i, j, k, 1) to LPS mm."""
    scale = np.diag([*[_UNIT_MM.get(header.units, 1.0)] * 3, 1.0])
    to_lps = _RAS_TO_LPS @ scale
    sform = np.vstack([header.srow, [0.0, 0.0, 0.0, 1.0]])
    qform = _qform(header)
    if header.sform_code > 0:
        affine = to_lps @ sform
        if header.qform_code > 0 and np.isfinite(qform).all() and np.isfinite(sform).all():
            one, other = Grid(shape, affine), Grid(shape, to_lps @ qform)
            apart = float(np.linalg.norm(one.corners() - other.corners(), axis=1).max())
            if apart > _AGREE_MM:
                raise InputError(
                    f"sform and qform place the image up to {apart:.1f} mm apart",
                    where=str(path),
                    remedy="make them agree, e.g. with fslorient -copysform2qform",
                )
        return affine
    if header.qform_code > 0:
        return to_lps @ qform
    return to_lps @ np.diag([*header.pixdim[1:4], 1.0])


def _qform(header: _Header) -> NDArray[np.float64]:
    """Return the 4x4 RAS matrix of the quaternion (``nifti1.h``, METHOD 2)."""
    b, c, d = header.quatern
    squares = b * b + c * c + d * d
    if squares > 1.0:  # rounding of a half turn: the real part vanishes
        b, c, d = (q / np.sqrt(squares) for q in (b, c, d))
    a = np.sqrt(max(0.0, 1.0 - squares))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handed = -1.0 if header.pixdim[0] < 0 else 1.0
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * (np.array(header.pixdim[1:4]) * (1.0, 1.0, handed))
    matrix[:3, 3] = header.qoffset
    return matrix
