"""What reading through SimpleITK has in common: one-line errors, silence, geometry."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..errors import InputError

_SCALAR = {
    sitk.sitkUInt8,
    sitk.sitkInt8,
    sitk.sitkUInt16,
    sitk.sitkInt16,
    sitk.sitkUInt32,
    sitk.sitkInt32,
    sitk.sitkUInt64,
    sitk.sitkInt64,
    sitk.sitkFloat32,
    sitk.sitkFloat64,
}


_one_at_a_time = threading.Lock()
"""ITK's warnings are one switch for all threads, and its readers are reported to crash side by side
now and then (github.com/SimpleITK/SimpleITK/issues/74 and 805)."""


@contextmanager
def errors_as_input(path: Path, kind: str) -> Iterator[None]:
    """Let ITK read, one thread at a time and without its warnings, its errors as one `InputError`.

    :param kind: what the file should have been, e.g. ``"NRRD"``.
    """
    with _one_at_a_time:
        shown = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            yield
        except RuntimeError as error:
            raise InputError(
                f"cannot be read as {kind}; it is damaged, incomplete or not {kind}",
                where=str(path),
                remedy="copy or export it again",
            ) from error
        finally:
            sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def file_reader(path: Path, image_io: str) -> sitk.ImageFileReader:
    """Return a reader of one file that gives float32 and accepts no other format."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return reader


def check_scalar(reader: sitk.ImageFileReader, path: Path) -> None:
    """Check that voxels are plain numbers.

    :param reader: has read the image's information.
    :raises InputError: colour, vector or complex voxels.
    """
    if reader.GetPixelID() not in _SCALAR or reader.GetNumberOfComponents() != 1:
        kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
        raise InputError(
            f"{reader.GetNumberOfComponents()} components a voxel ({kind})",
            where=str(path),
            remedy="give an image of plain numbers",
        )


def array_of(image: sitk.Image) -> NDArray[np.float32]:
    """Return the values, float32 (k, j, i)."""
    return sitk.GetArrayFromImage(image)


def affine_of(image: sitk.Image) -> NDArray[np.float64]:
    """Return the 4x4 map from voxel (i, j, k, 1) to LPS mm of a 3-D image."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine
