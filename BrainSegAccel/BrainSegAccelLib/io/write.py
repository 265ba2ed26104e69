"""Writing a segmentation in the format that its file name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, RunError
from ..geometry.resampling import to_image
from ..geometry.volume import Grid
from ..study.segmentation import Segmentation
from .atomic import atomic_write, check_place
from .segmentation_nrrd import write_segmentation_nrrd

if TYPE_CHECKING:
    from .dicom.segmentation import Origin

DICOM_SUFFIX = ".dcm"
_STRAIGHT_MM = 0.1


def check_output(path: Path) -> None:
    """Refuse a path that `write_segmentation` could not write, before the run.

    :raises InputError: unknown suffix; the folder does not exist or cannot be written.
    """
    suffix_of(path)
    check_place(path)


def write_segmentation(
    segmentation: Segmentation, path: Path, origin: Origin | None = None
) -> None:
    """Write a segmentation; an existing file is replaced only when the new one is complete.

    ``.seg.nrrd`` carries segment names, colours and terminology; ``.nii.gz`` and ``.nrrd`` are
    plain uint8 label maps of the scheme's values; ``.dcm`` is a DICOM SEG.

    :param origin: the DICOM series that the labels lie on; only ``.dcm`` needs it.
    :raises InputError: unknown suffix, a sheared grid in ``.nii.gz``, ``.dcm`` without a series.
    :raises RunError: the file could not be written, e.g. because the disk is full.
    """
    suffix = suffix_of(path)
    if suffix == DICOM_SUFFIX and origin is None:
        raise needs_series(path)
    with atomic_write(path) as temporary:
        try:
            if origin is not None and suffix == DICOM_SUFFIX:
                from .dicom.segmentation import write_segmentation_dicom

                write_segmentation_dicom(segmentation, temporary, origin)
            else:
                _WRITERS[suffix](segmentation, temporary)
        except RuntimeError as error:  # what SimpleITK raises; its text spans lines of source
            raise RunError(
                "cannot write the segmentation",
                where=str(path),
                remedy="free some space or choose another folder",
            ) from error


def needs_series(path: Path) -> InputError:
    """Return the error of a DICOM SEG whose labels lie on no DICOM series."""
    return InputError(
        "DICOM SEG refers to a DICOM series, and the reference volume is none",
        where=str(path),
        remedy="write .seg.nrrd, .nii.gz or .nrrd",
    )


def _write_label_map(segmentation: Segmentation, path: Path) -> None:
    sitk.WriteImage(to_image(segmentation.labels, segmentation.grid), str(path), True)


def _write_nifti(segmentation: Segmentation, path: Path) -> None:
    _check_straight(segmentation.grid)
    _write_label_map(segmentation, path)


def _check_straight(grid: Grid) -> None:
    """Refuse a grid that ITK would straighten, and so move, when it writes NIfTI."""
    left, _, right = np.linalg.svd(grid.direction)
    straight = grid.affine.copy()
    straight[:3, :3] = left @ right * grid.spacing
    if not Grid(grid.shape, straight).same_as(grid, _STRAIGHT_MM):
        raise InputError(
            "the reference volume's grid is sheared, which .nii.gz cannot hold",
            remedy="write .seg.nrrd or .nrrd instead",
        )


_WRITERS: dict[str, Callable[[Segmentation, Path], None]] = {
    ".seg.nrrd": write_segmentation_nrrd,
    ".nii.gz": _write_nifti,
    ".nrrd": _write_label_map,
}
"""Longest suffix first: every ``.seg.nrrd`` is also a ``.nrrd``."""


def suffix_of(path: Path) -> str:
    """Return the suffix that says in which format `write_segmentation` writes.

    :raises InputError: unknown suffix, or nothing before it.
    """
    suffixes = (*_WRITERS, DICOM_SUFFIX)
    suffix = next((suffix for suffix in suffixes if path.name.endswith(suffix)), None)
    if suffix is None or path.name == suffix:
        raise InputError(
            "no segmentation format goes by this name",
            where=str(path),
            remedy=f"let it end in {', '.join(suffixes)}",
        )
    return suffix
