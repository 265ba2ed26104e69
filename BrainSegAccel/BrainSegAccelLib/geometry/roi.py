"""A box in patient space that a person marked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .carried import Matrix
from .volume import Grid


@dataclass(frozen=True, eq=False)
class Roi:
    """A box, turned in any way.

    :param affine: 4x4, maps the cube from -1/2 to 1/2 along each axis to LPS mm: its columns are
        the edges of the box and its centre. For a markups ROI that is its object-to-world matrix
        with the columns scaled by its size, in LPS.
    :raises ValueError: not 4x4, or a box without volume.
    """

    affine: Matrix

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not self._volume(affine):
            raise ValueError(f"a box needs a 4x4 affine that can be inverted, got {affine}")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_corners(cls, low: NDArray[np.float64], high: NDArray[np.float64]) -> Roi:
        """Return the box along L, P and S between two opposite corners, LPS mm."""
        affine = np.eye(4)
        affine[:3, :3] = np.diag(np.asarray(high) - np.asarray(low))
        affine[:3, 3] = (np.asarray(high) + np.asarray(low)) / 2
        return cls(affine)

    @property
    def centre(self) -> NDArray[np.float64]:
        """LPS mm (3,)."""
        return self.affine[:3, 3]

    def corners(self) -> NDArray[np.float64]:
        """Return the 8 corners (8, 3) in LPS mm."""
        cube = np.array(list(product((-0.5, 0.5), repeat=3)))
        return cube @ self.affine[:3, :3].T + self.centre

    def mask(self, grid: Grid) -> NDArray[np.bool_]:
        """Return which voxel centres of a grid lie in the box, (k, j, i)."""
        # The box's own coordinates are linear in the voxel's: three axes are added, not a grid
        # of points made.
        to_cube = np.linalg.inv(self.affine) @ grid.affine
        k, j, i = (np.arange(n, dtype=np.float64) for n in grid.shape)
        inside = np.ones(grid.shape, dtype=bool)
        for row in to_cube[:3]:
            along = row[2] * k[:, None, None] + row[1] * j[:, None] + row[0] * i + row[3]
            inside &= np.abs(along) <= 0.5
        return inside

    @staticmethod
    def _volume(affine: NDArray[np.float64]) -> float:
        return float(abs(np.linalg.det(affine[:3, :3])))
