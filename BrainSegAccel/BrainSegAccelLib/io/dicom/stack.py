"""Slices in order, with the geometry that their positions tell, or the reason why they have none.

Numbers of instances, slice thickness and spacing between slices are not used: they are often
wrong. Position and orientation: PS3.3 C.7.6.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...geometry.volume import Grid
from ...study.study import MAX_SHEAR
from .grouping import Group, normal
from .header import Slice

_EXACT_MM = 0.02
"""Largest distance of a slice from its place that is rounding of the header."""

_UNEVEN = 0.05
"""Largest such distance, as a share of the gap between slices, that is repaired."""

_EXPORT_AGAIN = "export the whole series again"


@dataclass(frozen=True, eq=False)
class Stack:
    """One volume as it lies in DICOM files.

    :param slices: in the order of the grid's third axis.
    :param grid: LPS mm.
    :param where: folder and series, for messages.
    :param remarks: what was chosen or repaired to get here, one sentence each.
    """

    slices: tuple[Slice, ...]
    grid: Grid
    where: str
    remarks: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file once, in the order of the slices."""
        return tuple(dict.fromkeys(one.file for one in self.slices))

    def with_remarks(self, *remarks: str) -> Stack:
        """Return the same volume with more to say about it."""
        return replace(self, remarks=(*remarks, *self.remarks))


def stack_of(group: Group) -> Stack:
    """Put the slices of a group in order.

    :raises InputError: they make no volume: a single one, without position, at one place, with
        gaps, at a slant, uneven, or of other pixels than grey values.
    """
    _check_slices(group)
    positions = np.array([one.plane.position for one in group.slices if one.plane])
    plane = group.slices[0].plane
    assert plane is not None
    across = normal(plane)
    order = np.argsort(positions @ across, kind="stable")
    step, remarks = _step(positions[order], across, group)
    affine = np.eye(4)
    for axis in (0, 1):  # of unit length up to rounding: the size of a voxel is in the spacing
        vector = plane.axes[axis]
        affine[:3, axis] = vector / np.linalg.norm(vector) * plane.spacing[axis]
    affine[:3, 2] = step
    affine[:3, 3] = positions[order[0]]
    rows, columns = group.slices[0].shape
    grid = Grid((len(order), rows, columns), affine)
    return Stack(tuple(group.slices[index] for index in order), grid, group.where, remarks)


def _check_slices(group: Group) -> None:
    slices, where = group.slices, group.where
    without = sum(one.plane is None for one in slices)
    if without:
        raise InputError(
            f"{without} of {len(slices)} DICOM slices have no position, orientation or voxel size",
            where=where,
            remedy=_EXPORT_AGAIN,
        )
    if len(slices) == 1:
        raise InputError(
            "one DICOM slice is no volume", where=where, remedy="give the whole series"
        )
    if not slices[0].grey or min(slices[0].shape) < 1:
        raise InputError(
            "DICOM slices are not grey values (MONOCHROME2)",
            where=where,
            remedy="give the series as the scanner made it",
        )
    if len({one.scale for one in slices}) > 1:
        raise InputError(
            "frames are scaled differently (rescale slope)",
            where=where,
            remedy="convert it to NIfTI, e.g. with dcm2niix",
        )
    assert slices[0].plane is not None
    row, column = slices[0].plane.axes
    off = max(abs(row @ row - 1), abs(column @ column - 1), abs(row @ column))
    if off > MAX_SHEAR:
        raise InputError(
            "the orientation of the DICOM slices is no rotation",
            where=where,
            remedy=_EXPORT_AGAIN,
        )


def _step(
    positions: NDArray[np.float64], across: NDArray[np.float64], group: Group
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the LPS vector in mm from one slice to the next, and what it glosses over.

    :param positions: (n, 3) LPS mm of the first voxel of every slice, in order.
    :param across: the slices' normal.
    """
    gaps = np.diff(positions @ across)
    median = float(np.median(gaps))
    if gaps.min() < _EXACT_MM:
        count = 1 + int(np.count_nonzero(gaps >= _EXACT_MM))
        raise InputError(
            f"{len(positions)} DICOM slices at {count} positions",
            where=group.where,
            remedy="keep one echo or time point only",
        )
    if gaps.max() > 1.5 * median:
        raise InputError(
            f"DICOM slices {gaps.min():.2f} to {gaps.max():.2f} mm apart: slices are missing",
            where=group.where,
            remedy=_EXPORT_AGAIN,
        )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    slant = float(np.linalg.norm(np.cross(step, across)) / np.linalg.norm(step))
    if slant > MAX_SHEAR:
        raise InputError(
            f"DICOM slices are stacked at a slant of {np.degrees(np.arcsin(min(1, slant))):.1f} "
            "degrees (gantry tilt)",
            where=group.where,
            remedy="resample it onto a grid with perpendicular axes",
        )
    places = positions[0] + np.arange(len(positions))[:, None] * step
    off = float(np.linalg.norm(positions - places, axis=1).max())
    if off > max(_EXACT_MM, _UNEVEN * median):
        raise InputError(
            f"DICOM slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart",
            where=group.where,
            remedy="resample it to even slices, or convert it with dcm2niix",
        )
    if off > _EXACT_MM:
        said = f"slices lie up to {off:.2f} mm off even gaps of {np.linalg.norm(step):.2f} mm"
        return step, (f"{said}, which were used",)
    return step, ()
