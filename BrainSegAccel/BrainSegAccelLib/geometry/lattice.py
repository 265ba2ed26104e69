"""Two grids whose voxel centres coincide: copying instead of interpolating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .volume import Grid

ScalarT = TypeVar("ScalarT", bound=np.generic)

POSITION_TOLERANCE = 0.01
"""How far, in voxels, a voxel centre may lie from its partner anywhere in the grid."""


@dataclass(frozen=True)
class Lattice:
    """How the voxels of a source array are those of a target array.

    :param axes: for each target array axis (k, j, i), the source array axis that runs along it.
    :param signs: +1 if they run the same way, -1 if they run against each other.
    :param offset: source index, along those axes, of target voxel (0, 0, 0).
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    offset: tuple[int, int, int]

    def copy(
        self, source: NDArray[ScalarT], target_shape: tuple[int, int, int], outside: float = 0.0
    ) -> NDArray[ScalarT]:
        """Return the source seen on the target grid.

        :param source: (k, j, i) array on the source grid.
        :param target_shape: (k, j, i) shape of the target grid.
        :param outside: value where the source has none.
        """
        turned = source.transpose(self.axes)
        target = np.full(target_shape, outside, dtype=source.dtype)
        taken, placed = [], []
        for axis in range(3):
            n_source, n_target = turned.shape[axis], target_shape[axis]
            sign, offset = self.signs[axis], self.offset[axis]
            indices = offset + sign * np.arange(n_target)
            inside = np.flatnonzero((indices >= 0) & (indices < n_source))
            if inside.size == 0:
                return target
            first, last = int(inside[0]), int(inside[-1])
            placed.append(slice(first, last + 1))
            start, stop = int(indices[first]), int(indices[last]) + sign
            taken.append(slice(start, stop if stop >= 0 else None, sign))
        target[tuple(placed)] = turned[tuple(taken)]
        return target


def common_lattice(source: Grid, target: Grid) -> Lattice | None:
    """Return how target voxels coincide with source voxels, or None if they do not.

    They do if the map from target to source indices is a signed permutation with a whole-voxel
    offset, within `POSITION_TOLERANCE` at every voxel of the target.
    """
    matrix = np.linalg.inv(source.affine) @ target.affine
    linear, offset = matrix[:3, :3], matrix[:3, 3]
    rounded = np.rint(linear)
    one_each = (np.abs(rounded).sum(axis=0) == 1).all() and (np.abs(rounded).sum(axis=1) == 1).all()
    reach = np.array(target.shape[::-1], dtype=float)
    drift = np.abs(linear - rounded) @ reach + np.abs(offset - np.rint(offset))
    if not one_each or drift.max() > POSITION_TOLERANCE:
        return None
    # Row = source axis, column = target axis, both in (i, j, k); arrays run (k, j, i).
    source_axis = np.abs(rounded).argmax(axis=0)
    axes = tuple(int(2 - source_axis[2 - axis]) for axis in range(3))
    signs = tuple(int(rounded[2 - axes[axis], 2 - axis]) for axis in range(3))
    start = tuple(int(np.rint(offset[2 - axes[axis]])) for axis in range(3))
    return Lattice(axes, signs, start)  # type: ignore[arg-type]
