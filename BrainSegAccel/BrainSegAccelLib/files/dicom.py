"""A folder that holds one DICOM series, through SimpleITK's GDCM.

The geometry comes from the position of every slice: ITK takes it from the first two and only
warns when a slice is missing, which would stretch the patient.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..errors import InputError
from ..volume import Volume
from . import itk
from .formats import is_dicom

_GAP_TOLERANCE = 0.05
"""Largest deviation of one slice gap from the median gap, as a share of it."""

_MUST_AGREE = {
    "orientation": lambda reader: reader.GetDirection()[:9],
    "voxel size": lambda reader: reader.GetSpacing()[:2],
}


def read_dicom(folder: Path) -> Volume:
    """Read the one DICOM series in a folder (not in its subfolders).

    :returns: float32 (k, j, i), slices ordered along their normal, affine to LPS mm.
    :raises InputError: no DICOM file; more than one series; slices of different size or
        orientation, at the same position, or with a gap.
    """
    files = _one_series(folder)
    readers = [itk.file_reader(file, "GDCMImageIO") for file in files]
    with itk.errors_as_input(folder, "DICOM"):
        for reader in readers:
            reader.ReadImageInformation()
    _check_slices(readers, folder)
    positions = np.array([reader.GetOrigin() for reader in readers])
    normal = np.reshape(readers[0].GetDirection(), (3, 3))[:, 2]
    order = np.argsort(positions @ normal, kind="stable")
    step = _step(positions[order], normal, folder)

    series = sitk.ImageSeriesReader()
    series.SetImageIO("GDCMImageIO")
    series.SetFileNames([str(files[index]) for index in order])
    series.SetOutputPixelType(sitk.sitkFloat32)
    with itk.errors_as_input(folder, "DICOM"):
        image = series.Execute()
    affine = itk.affine_of(image)
    affine[:3, 2] = step
    affine[:3, 3] = positions[order[0]]
    return Volume(itk.array_of(image), affine, folder.name)


def _one_series(folder: Path) -> list[Path]:
    """Return the files of the only series; messages count, and name no patient."""
    with itk.errors_as_input(folder, "DICOM"):
        identifiers = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        series = [
            sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), identifier)
            for identifier in identifiers
        ]
    if not series:
        raise InputError(
            "folder without DICOM images",
            where=str(folder),
            remedy="give the folder that holds the files of one series",
        )
    damaged = _damaged(folder, {Path(file).name for files in series for file in files})
    if damaged:
        raise InputError(
            f"{len(damaged)} damaged DICOM files, the first {damaged[0]}",
            where=str(folder),
            remedy="export the whole series again",
        )
    if len(series) > 1:
        counts = ", ".join(str(len(files)) for files in sorted(series, key=len))
        raise InputError(
            f"folder with {len(series)} DICOM series (of {counts} files)",
            where=str(folder),
            remedy="put each series into a folder of its own",
        )
    return [Path(file) for file in series[0]]


def _damaged(folder: Path, listed: set[str]) -> list[str]:
    """Return the names of files that should be slices, but that GDCM passed over in silence."""
    names = []
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.name in listed or file.name.upper() == "DICOMDIR":
            continue
        if file.stat().st_size == 0 or file.suffix.lower() == ".dcm" or is_dicom(file):
            names.append(file.name)
    return names


def _check_slices(readers: list[sitk.ImageFileReader], folder: Path) -> None:
    where, first = str(folder), readers[0]
    if any(len(reader.GetSize()) > 2 and reader.GetSize()[2] > 1 for reader in readers):
        raise InputError(
            "multi-frame DICOM", where=where, remedy="convert it to NIfTI, e.g. with dcm2niix"
        )
    if len(readers) == 1:
        raise InputError(
            "one DICOM slice is no volume", where=where, remedy="give the whole series"
        )
    for reader in readers:
        itk.check_scalar(reader, folder)
    sizes = Counter(reader.GetSize()[:2] for reader in readers)
    if len(sizes) > 1:
        shown = ", ".join(f"{i} x {j}" for i, j in sizes)
        raise InputError(
            f"DICOM slices of different sizes ({shown})",
            where=where,
            remedy="keep the slices of one volume only",
        )
    for what, value_of in _MUST_AGREE.items():
        if not np.allclose([value_of(reader) for reader in readers], value_of(first), atol=1e-3):
            raise InputError(
                f"DICOM slices of different {what}",
                where=where,
                remedy="keep the slices of one volume only",
            )


def _step(
    positions: NDArray[np.float64], normal: NDArray[np.float64], folder: Path
) -> NDArray[np.float64]:
    """Return the LPS vector in mm from one slice to the next.

    :param positions: (n, 3) LPS mm of the first voxel of every slice, in order.
    """
    gaps = np.diff(positions @ normal)
    median = float(np.median(gaps))
    if gaps.min() < 1e-3:
        count = 1 + int(np.count_nonzero(gaps >= 1e-3))
        raise InputError(
            f"{len(positions)} DICOM slices at {count} positions",
            where=str(folder),
            remedy="keep one echo or time point only",
        )
    if np.abs(gaps - median).max() > _GAP_TOLERANCE * median:
        raise InputError(
            f"DICOM slices {gaps.min():.2f} to {gaps.max():.2f} mm apart: slices are missing",
            where=str(folder),
            remedy="export the whole series again",
        )
    return (positions[-1] - positions[0]) / (len(positions) - 1)
