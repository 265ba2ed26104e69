"""The voxels of a stack, through GDCM in SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ...errors import InputError
from ...geometry.volume import Volume
from .. import itk
from .stack import Stack


def read_stack(stack: Stack) -> Volume:
    """Read the slices of a stack.

    :returns: float32 (k, j, i), rescaled as the files say, on the stack's grid.
    :raises InputError: a file that cannot be decoded, or whose image is not of the size that its
        header says.
    """
    array = np.empty(stack.grid.shape, dtype=np.float32)
    opened: tuple[Path | None, NDArray[np.float32]] = (None, array)
    for k, one in enumerate(stack.slices):
        if one.file != opened[0]:
            opened = one.file, _frames(one.file)
        index = one.frame or 0
        frames = opened[1]
        if index >= len(frames) or frames.shape[1:] != one.shape:
            raise InputError(
                f"{one.file.name} does not hold the image that its header describes",
                where=stack.where,
                remedy="export the whole series again",
            )
        array[k] = frames[index]
    return Volume(array, stack.grid.affine, stack.where)


def _frames(file: Path) -> NDArray[np.float32]:
    """Return all frames of a file, float32 (frames, j, i)."""
    reader = itk.file_reader(file, "GDCMImageIO")
    with itk.errors_as_input(file, "DICOM"):
        reader.ReadImageInformation()
        itk.check_scalar(reader, file)
        image: sitk.Image = reader.Execute()
    array = itk.array_of(image)
    return array if array.ndim == 3 else array[None]
