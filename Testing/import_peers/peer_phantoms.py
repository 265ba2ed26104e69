"""Small geometric heads with a tumour, written as other people's tools want their data.

They are no anatomy: an ellipsoid of tissue holds three nested ellipsoids, and each sequence gives
each of them another brightness. That is enough for a small network to learn in seconds, on grids of
any spacing, size and orientation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk

# What a voxel is. Labels of a task are made from these.
AIR, TISSUE, OEDEMA, NECROSIS, ENHANCING = range(5)

# Brightness of air, tissue, oedema, necrotic core and enhancing tumour, and the noise.
_SEQUENCES = {
    "t1": ((0, 420, 330, 250, 380), 18.0),
    "t1c": ((0, 450, 360, 240, 900), 22.0),
    "t2": ((0, 300, 620, 800, 520), 24.0),
    "flair": ((0, 350, 800, 330, 640), 21.0),
}


@dataclass(frozen=True)
class Shape:
    """A grid: voxels and millimetres along i, j, k, and the directions of i, j, k in LPS."""

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    origin: tuple[float, float, float] = (-30.0, 12.5, 7.0)


@dataclass(frozen=True)
class Case:
    """Sequences by name and the tissue map (AIR to ENHANCING), all on one grid."""

    images: dict[str, sitk.Image]
    tissue: sitk.Image


def make_case(
    seed: int,
    shape: Shape,
    sequences: tuple[str, ...] = ("t1", "t1c", "t2", "flair"),
    *,
    masked: bool = True,
) -> Case:
    """A head that fills four fifths of the grid.

    Where ``masked`` is set, what is outside the head is exactly zero, as after brain extraction;
    else there is noise everywhere.
    """
    random = np.random.default_rng(seed)
    tissue = _tissue_map(random, shape)
    images = {}
    for name in sequences:
        levels, noise = _SEQUENCES[name]
        voxels = np.asarray(levels, np.float32)[tissue] * random.uniform(0.85, 1.15)
        voxels += random.normal(0.0, noise, tissue.shape).astype(np.float32)
        if masked:
            voxels = np.where(tissue == AIR, 0.0, np.maximum(voxels, 1.0))
        images[name] = as_image(np.round(voxels).astype(np.int16), shape)
    return Case(images, as_image(tissue.astype(np.uint8), shape))


def as_image(voxels: NDArray[np.generic], shape: Shape) -> sitk.Image:
    """An image of ``voxels[k, j, i]`` on the grid."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(shape.spacing)
    image.SetDirection(shape.direction)
    image.SetOrigin(shape.origin)
    return image


def _tissue_map(random: np.random.Generator, shape: Shape) -> NDArray[np.intp]:
    """Tissue at each voxel, [k, j, i]. The tumour is turned and lies off the centre."""
    extent = np.multiply(shape.size, shape.spacing)
    axes = [
        (np.arange(count) + 0.5) * step - length / 2
        for count, step, length in zip(shape.size, shape.spacing, extent, strict=True)
    ]
    i, j, k = np.meshgrid(*axes, indexing="ij", sparse=True)
    head_radii = 0.4 * extent * random.uniform(0.92, 1.05, 3)
    tissue = np.where(_inside(i, j, k, (0, 0, 0), head_radii), TISSUE, AIR)
    centre = random.uniform(-0.2, 0.2, 3) * head_radii
    outer = head_radii * random.uniform(0.55, 0.7) * random.uniform(0.9, 1.1, 3)
    for part, share in ((OEDEMA, 1.0), (ENHANCING, 0.75), (NECROSIS, 0.5)):
        tissue = np.where(_inside(i, j, k, centre, outer * share), part, tissue)
    return np.ascontiguousarray(tissue.transpose(2, 1, 0))


def _inside(
    i: NDArray[np.float64],
    j: NDArray[np.float64],
    k: NDArray[np.float64],
    centre: tuple[float, ...] | NDArray[np.float64],
    radii: NDArray[np.float64],
) -> NDArray[np.bool_]:
    x, y, z = ((axis - c) / r for axis, c, r in zip((i, j, k), centre, radii, strict=True))
    return x * x + y * y + z * z <= 1.0
