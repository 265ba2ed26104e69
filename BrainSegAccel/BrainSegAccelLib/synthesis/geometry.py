"""The grid of a synthetic case and the way from it into the atlas."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .atlas import Atlas
from .noise import smooth_noise
from .rng import Rng

Shape = tuple[int, int, int]

# Range of real brains' extents in mm along x, y, z (skull-stripped adult heads).
_EXTENTS = ((125.0, 150.0), (158.0, 185.0), (128.0, 155.0))
_MARGIN = 12.0
_STRIDE = 2


@dataclass(frozen=True)
class Grid:
    """``shape`` (z, y, x) voxels of ``voxel`` mm around ``centre`` (x, y, z), in head space.

    Head space is LPS mm with its zero in the middle of the brain.
    """

    shape: Shape
    voxel: float
    centre: tuple[float, float, float]

    def axes(self, stride: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Positions in mm along z, y and x of every ``stride``-th voxel."""
        z, y, x = (
            (torch.arange(0, size + stride - 1, stride) - (size - 1) / 2) * self.voxel + middle
            for size, middle in zip(self.shape, reversed(self.centre), strict=True)
        )
        return z, y, x

    def positions(self, device: torch.device, stride: int = 1) -> Tensor:
        """Positions [3 (x, y, z), D, H, W] in mm of every ``stride``-th voxel."""
        z, y, x = torch.meshgrid(*(axis.to(device) for axis in self.axes(stride)), indexing="ij")
        return torch.stack([x, y, z])

    def slices_around(self, point: Tensor, reach: float) -> tuple[slice, slice, slice]:
        """The voxels within ``reach`` mm of ``point`` (x, y, z) along each axis."""
        slices = []
        for size, middle, value in zip(
            self.shape, reversed(self.centre), reversed(point.tolist()), strict=True
        ):
            index = (value - middle) / self.voxel + (size - 1) / 2
            low = max(0, math.floor(index - reach / self.voxel))
            high = min(size, math.ceil(index + reach / self.voxel) + 1)
            slices.append(slice(low, max(low, high)))
        return slices[0], slices[1], slices[2]


@dataclass(frozen=True)
class HeadPose:
    """Affine map from head space to atlas space: ``matrix @ position + offset`` (LPS mm)."""

    matrix: Tensor
    offset: Tensor
    extent: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: Rng, atlas: Atlas) -> HeadPose:
        """Draw the size and the orientation of a head."""
        common = rng.uniform()
        extent = tuple(
            low + (high - low) * min(1.0, max(0.0, common + rng.normal(0.25)))
            for low, high in _EXTENTS
        )
        angles = [math.radians(rng.normal(s)) for s in (6.0, 4.0, 4.5)]
        (cx, cy, cz), (sx, sy, sz) = map(math.cos, angles), map(math.sin, angles)
        about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        scale = atlas.extent / torch.tensor(extent)
        matrix = scale[:, None] * (about_x @ about_y @ about_z)
        return cls(matrix, atlas.centre, (extent[0], extent[1], extent[2]))

    def fitting_grid(self, voxel: float) -> Grid:
        """The smallest grid that holds the whole turned head with a margin."""
        half = torch.tensor(self.extent) / 2
        # Corners of the brain's box overstate an ellipsoid: take the ellipsoid's support instead.
        rotation = self.matrix / self.matrix.norm(dim=1, keepdim=True)
        reach = ((rotation.T * half) ** 2).sum(1).sqrt()
        x, y, z = (math.ceil((2 * float(r) + _MARGIN) / voxel) for r in reach)
        return Grid((z, y, x), voxel, (0.0, 0.0, 0.0))

    def to_atlas(self, positions: Tensor) -> Tensor:
        """Head positions [3, ...] to atlas positions [3, ...], both (x, y, z) in mm."""
        matrix, offset = self.matrix.to(positions), self.offset.to(positions)
        moved = matrix @ positions.flatten(1) + offset[:, None]
        return moved.reshape(positions.shape)


def sample(maps: Tensor, atlas: Atlas, positions: Tensor, spacing: float = 1.0) -> Tensor:
    """Linear interpolation of ``maps`` [C, D, H, W] at atlas ``positions`` [3, d, h, w]; 0 outside.

    :param spacing: voxel edge of the maps in mm; their voxel 0 lies at the atlas's origin.
    """
    sizes = torch.tensor(maps.shape[:0:-1]).to(positions)
    index = (positions - atlas.origin.to(positions)[:, None, None, None]) / spacing
    relative = index / (sizes - 1)[:, None, None, None] * 2 - 1
    return functional.grid_sample(
        maps[None], relative.permute(1, 2, 3, 0)[None], align_corners=True
    )[0]


@dataclass(frozen=True)
class Mass:
    """A space-occupying sphere: ``centre`` (x, y, z) and ``radius`` in mm, ``push`` in 0 to 1."""

    centre: Tensor
    radius: float
    push: float


def deformed_positions(
    rng: Rng, atlas: Atlas, pose: HeadPose, grid: Grid, masses: list[Mass]
) -> Tensor:
    """Where in the atlas each voxel's tissue comes from: [3 (x, y, z), D, H, W] in mm.

    Pose, smooth anatomical variation, mass effect and ventricular enlargement are all smooth, so
    they are composed on every second voxel and interpolated.
    """
    coarse = grid.positions(rng.device, _STRIDE)
    shape, voxel = coarse.shape[1:], grid.voxel * _STRIDE
    moved = coarse
    for low, high, most in ((30.0, 60.0, 4.5), (12.0, 20.0, 1.6)):
        scale, amount = rng.uniform(low, high), rng.uniform(0.1 * most, most)
        moved = moved + amount * smooth_noise(rng, shape, voxel, scale, 3)
    for mass in masses:
        away = moved - mass.centre.to(moved)[:, None, None, None]
        squared = (away * away).sum(0) / (1.5 * mass.radius) ** 2
        moved = moved - away * (mass.push * torch.exp(-squared))
    source = pose.to_atlas(moved)
    if rng.event(0.75):
        source = source + rng.uniform(0, 5.5) * sample(atlas.outward, atlas, source, 2.0)
    # align_corners puts coarse voxel i exactly at fine voxel 2 i; the surplus is cut.
    sizes = [_STRIDE * (size - 1) + 1 for size in shape]
    fine = functional.interpolate(source[None], sizes, mode="trilinear", align_corners=True)[0]
    depth, height, width = grid.shape
    return fine[:, :depth, :height, :width]
