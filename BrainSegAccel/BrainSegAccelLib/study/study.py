"""One patient's MR volumes: what a run works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from ..errors import InputError
from ..geometry.volume import Grid, Volume
from .modality import Modality, reference_of

MIN_SPACING_MM, MAX_SPACING_MM = 0.05, 25.0
MIN_EXTENT_MM, MAX_EXTENT_MM = 20.0, 1000.0
MAX_SHEAR = 5e-3
"""Largest cosine between two axes: rounding of a header, not a shear."""


class Study(Mapping[Modality, Volume]):
    """A checked, non-empty, read-only ``{Modality: Volume}``; grids may differ.

    Iteration follows the network's channel order.

    :raises InputError: no volume at all; NaN or infinite voxels; a constant image; spacing or
        extent that no head has; axes that are not perpendicular; volumes that share no space with
        the reference.
    """

    def __init__(self, volumes: Mapping[Modality, Volume]) -> None:
        if not volumes:
            raise InputError("no input volume", remedy="give at least one of T1, T1c, T2 and FLAIR")
        self._volumes = MappingProxyType({m: volumes[m] for m in Modality if m in volumes})
        for modality, volume in self._volumes.items():
            _check_volume(modality, volume)
        self._check_overlap()

    def __getitem__(self, modality: Modality) -> Volume:
        return self._volumes[modality]

    def __iter__(self) -> Iterator[Modality]:
        return iter(self._volumes)

    def __len__(self) -> int:
        return len(self._volumes)

    @property
    def reference(self) -> Modality:
        """The modality whose grid the result is written on: T1c, else T1, FLAIR, T2."""
        return reference_of(self)

    @property
    def reference_grid(self) -> Grid:
        """The grid the result is written on."""
        return self[self.reference].grid

    def _check_overlap(self) -> None:
        reference = self[self.reference]
        for modality, volume in self.items():
            if modality is not self.reference and not overlap(volume.grid, reference.grid):
                raise InputError(
                    f"{modality.label} does not overlap {self.reference.label} "
                    f"({reference.name or 'reference'}) in patient space",
                    where=volume.name or modality.label,
                    remedy="check that both are of the same patient and position",
                )


def check_grid(grid: Grid, where: str) -> None:
    """Check that a grid is one that an image of a head can have.

    :raises InputError: as `Study` does, of position, spacing, axes and extent.
    """
    if not np.isfinite(grid.affine).all():
        raise InputError(
            "orientation, voxel size or position is not a number",
            where=where,
            remedy="repair the image header or export it again",
        )
    spacing = grid.spacing
    shown = " x ".join(f"{s:g}" for s in spacing)
    if not all(MIN_SPACING_MM <= s <= MAX_SPACING_MM for s in spacing):
        raise InputError(
            f"voxel spacing {shown} mm is not between {MIN_SPACING_MM:g} and {MAX_SPACING_MM:g} mm",
            where=where,
            remedy="repair the image header or export it again",
        )
    direction = grid.direction
    if np.abs(direction.T @ direction - np.eye(3)).max() > MAX_SHEAR:
        raise InputError(
            "the axes of the image are not perpendicular to one another",
            where=where,
            remedy="resample it onto a grid with perpendicular axes",
        )
    extent = [n * s for n, s in zip(grid.shape[::-1], spacing, strict=True)]
    if min(extent) < MIN_EXTENT_MM or max(extent) > MAX_EXTENT_MM:
        raise InputError(
            f"image of {' x '.join(f'{e:.0f}' for e in extent)} mm cannot hold a brain",
            where=where,
            remedy=f"give a volume between {MIN_EXTENT_MM:.0f} and {MAX_EXTENT_MM:.0f} mm a side",
        )


def _check_volume(modality: Modality, volume: Volume) -> None:
    where = volume.name or modality.label
    check_grid(volume.grid, where)
    low, high = float(volume.array.min()), float(volume.array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int(np.count_nonzero(~np.isfinite(volume.array)))
        raise InputError(
            f"{count} voxels are NaN or infinite", where=where, remedy="repair or export it again"
        )
    if low == high:
        raise InputError(
            f"every voxel is {low:g}", where=where, remedy="give an image that shows a head"
        )


def overlap(one: Grid, other: Grid) -> bool:
    """Whether two boxes in space intersect (separating axes of both grids)."""
    a, b = one.corners(), other.corners()
    axes = np.concatenate([one.direction.T, other.direction.T])
    cross = np.cross(axes[:3, None], axes[None, 3:]).reshape(-1, 3)
    for axis in np.concatenate([axes, cross[np.linalg.norm(cross, axis=1) > 1e-6]]):
        pa, pb = a @ axis, b @ axis
        if pa.max() <= pb.min() or pb.max() <= pa.min():
            return False
    return True
