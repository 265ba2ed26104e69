"""A sampled image in patient space: its grid and its values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from .carried import Matrix, Span, carried, sha256

Array = NDArray[np.float32]
Box = tuple[Span, Span, Span]
"""Slices along (k, j, i) of an array."""
_NOISE = 1e-12


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of an array lie in patient space.

    :param shape: voxels along (k, j, i) = (z, y, x) of the array.
    :param affine: 4x4, maps voxel (i, j, k, 1) to LPS millimetres; float64, read-only.
    """

    shape: tuple[int, int, int]
    affine: Matrix

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise ValueError(f"affine must be 4x4, got {affine.shape}")
        # No millimetre is that small; it is noise of a rotation, on which ITK's solver goes wrong.
        affine[np.abs(affine) < _NOISE] = 0.0
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along (i, j, k), as files and manifests name them."""
        k, j, i = self.shape
        return i, j, k

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along (i, j, k) in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def direction(self) -> NDArray[np.float64]:
        """3x3 direction cosines; columns are the unit vectors of i, j, k in LPS."""
        return self.affine[:3, :3] / np.asarray(self.spacing)

    @property
    def origin(self) -> NDArray[np.float64]:
        """LPS position in mm of the centre of voxel (0, 0, 0)."""
        return self.affine[:3, 3]

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def to_patient(self, ijk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map voxel coordinates (…, 3) in i, j, k order to LPS mm."""
        return np.asarray(ijk) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxel(self, lps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map LPS mm (…, 3) to continuous voxel coordinates in i, j, k order."""
        return (np.asarray(lps) - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def corners(self) -> NDArray[np.float64]:
        """Return the 8 outer corners (8, 3) of the sampled box in LPS mm, voxel edges included."""
        k, j, i = self.shape
        box = product((-0.5, i - 0.5), (-0.5, j - 0.5), (-0.5, k - 0.5))
        return self.to_patient(np.array(list(box)))

    def part(self, box: Box) -> Grid:
        """Return the grid of the voxels in a (k, j, i) box."""
        bounds = [s.indices(n)[:2] for s, n in zip(box, self.shape, strict=True)]
        affine = self.affine.copy()
        affine[:3, 3] = self.to_patient(np.array([start for start, _ in bounds[::-1]], dtype=float))
        k, j, i = (stop - start for start, stop in bounds)
        return Grid((k, j, i), affine)

    def moved(self, motion: NDArray[np.float64]) -> Grid:
        """Return the grid as a rigid motion takes it along, a 4x4 matrix in LPS mm."""
        return Grid(self.shape, motion @ self.affine)

    def same_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have one shape and no corner differs by more than the tolerance."""
        return self.shape == other.shape and bool(
            np.abs(self.corners() - other.corners()).max() <= tolerance_mm
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """An image in patient space.

    :param array: float32 values in (k, j, i) = (z, y, x) order.
    :param affine: 4x4, maps voxel (i, j, k, 1) to LPS mm.
    :param name: what the user calls it (a file or node name), for messages only.
    """

    array: Array
    affine: NDArray[np.float64]
    name: str = ""

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise ValueError(f"a volume has three axes, got shape {self.array.shape}")
        object.__setattr__(self, "array", np.asarray(self.array, dtype=np.float32))
        object.__setattr__(self, "affine", self.grid.affine)

    @property
    def grid(self) -> Grid:
        """The sampling grid of this volume."""
        k, j, i = self.array.shape
        return Grid((k, j, i), self.affine)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the values as little-endian float32; of the first time that it is asked."""
        return sha256(self.array)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Carry volumes whole; a record names one by its digest and place, never by its name."""
        return carried(cls, lambda v: {"sha256": v.sha256, "affine": v.affine.tolist()})

    def moved(self, motion: NDArray[np.float64]) -> Volume:
        """Return the same voxels elsewhere, by a rigid motion, a 4x4 matrix in LPS mm."""
        return Volume(self.array, motion @ self.affine, self.name)
