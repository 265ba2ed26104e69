"""What lies around the brain: skull, scalp, face and neck of a synthetic head.

The ICBM152 template at hand shows the brain alone, so the head is built around it: layers that
follow the cranial cavity, and coarse shapes at their anatomical places in the atlas. Contrast and
noise are drawn elsewhere; nothing here looks at intensities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor
from torch.nn import functional

from .atlas import Atlas
from .geometry import Grid, HeadPose, sample
from .noise import smooth_noise
from .rng import Rng

_VOXEL = 2.0
_REACH = 60.0
"""Millimetres beyond the cranial cavity up to which distances are known."""
_CLOSING = 10.0
"""Fissures and cisterns narrower than twice this lie within the cranial cavity, in mm."""


class HeadTissue(IntEnum):
    """What a voxel outside the brain shows."""

    AIR = 0
    CSF = 1
    DURA = 2
    BONE = 3
    MARROW = 4
    MUSCLE = 5
    FAT = 6
    SKIN = 7
    VITREOUS = 8
    MUCOSA = 9
    CORD = 10


@dataclass(frozen=True)
class HeadAtlas:
    """The cranial cavity of the atlas.

    ``nearness`` is [1, D, H, W] in 2 mm voxels, ``_REACH`` minus the signed distance in mm from
    the cavity's surface (positive outside), 0 beyond reach; ``frame`` places its voxel 0.
    """

    nearness: Tensor
    frame: Atlas

    @classmethod
    def of(cls, atlas: Atlas) -> HeadAtlas:
        """Close the fissures of the brain and measure distances from what results."""
        from scipy import ndimage

        # Voxel 0 of the halved map is voxel 0 of the atlas: the frame stays simple.
        brain = (atlas.maps[:3].sum(0) > 0.5)[::2, ::2, ::2].cpu()
        pad = int(_REACH / _VOXEL)
        inside = functional.pad(brain, (pad,) * 6).numpy()
        near = ndimage.distance_transform_edt(~inside) * _VOXEL <= _CLOSING
        cavity = ndimage.distance_transform_edt(near) * _VOXEL > _CLOSING
        cavity |= inside
        signed = ndimage.distance_transform_edt(~cavity) - ndimage.distance_transform_edt(cavity)
        nearness = torch.from_numpy(_REACH - signed * _VOXEL).float().clamp_min(0)
        frame = replace(atlas, origin=atlas.origin - _REACH)
        return cls(nearness[None].to(atlas.maps.device), frame)


def beyond_cavity(atlas: HeadAtlas, source: Tensor) -> Tensor:
    """Signed distance [D, H, W] in mm from the cranial cavity's surface, positive outside."""
    return _REACH - sample(atlas.nearness, atlas.frame, source, _VOXEL)[0]


def head_grid(rng: Rng, pose: HeadPose, voxel: float) -> Grid:
    """A scanner's field of view: around the whole head, to below the chin or only the skull base.

    One in eight cuts off a part of the scalp or of the brain's very edge.
    """
    brain = pose.fitting_grid(voxel)
    side, front, back = rng.uniform(14, 34), rng.uniform(20, 60), rng.uniform(15, 40)
    top, bottom = rng.uniform(12, 32), rng.uniform(8, 85)
    margins = [[side, side], [front, back], [bottom, top]]
    if rng.event(0.12):
        margins[rng.integer(0, 2)][rng.integer(0, 1)] = rng.uniform(-8, 6)
    shape = [
        round(size + (low + high) / voxel)
        for size, (low, high) in zip(brain.shape, reversed(margins), strict=True)
    ]
    x, y, z = ((high - low) / 2 for low, high in margins)
    return Grid((shape[0], shape[1], shape[2]), voxel, (x, y, z))


def draw_head(rng: Rng, atlas: HeadAtlas, grid: Grid, source: Tensor) -> Tensor:
    """Tissues around the brain at ``source`` [3, D, H, W] (see ``deformed_positions``).

    :returns: :class:`HeadTissue` as uint8 [D, H, W]; where the brain lies they mean nothing.
    """
    return _Head(rng, atlas, grid, source).labels


class _Head:
    """Paints labels from the outside inwards; later paint covers earlier."""

    def __init__(self, rng: Rng, atlas: HeadAtlas, grid: Grid, source: Tensor) -> None:
        self.rng, self.grid = rng, grid
        self.side, self.y, self.z = source[0].abs(), source[1], source[2]
        self.beyond = beyond_cavity(atlas, source)
        self.labels = torch.zeros(grid.shape, dtype=torch.uint8, device=rng.device)
        self._measure_layers()
        self._paint_soft_tissue()
        self._paint_face()
        self._paint_skull()
        self._paint_spine()

    def _measure_layers(self) -> None:
        """Outer surfaces of CSF, dura, skull, and the head's outline, as distances in mm."""
        uniform = self.rng.uniform
        varied = self._noise(20, 50)
        self.csf = (uniform(0.5, 3.5) + varied * uniform(0, 1)).clamp_min(0.3)
        self.dura = self.csf + uniform(0.5, 1.6)
        self.bone = (uniform(4, 9) * (1 + self._noise(20, 50) * uniform(0.1, 0.35))).clamp(2, 14)
        self.skull = self.dura + self.bone
        temple = (
            ((self.side - 68) / 18) ** 2 + ((self.y + 10) / 28) ** 2 + ((self.z + 15) / 28) ** 2
        )
        self.temporalis = uniform(4, 15) * torch.exp(-temple)
        scalp = uniform(3, 9) * (1 - varied * uniform(0, 0.2)).clamp_min(0.6) + self.temporalis
        neck = self._radius(0, uniform(32, 46), 0, uniform(48, 66), uniform(50, 68), 1e6)
        parts = [
            self.beyond - self.skull - scalp,
            (self._radius(0, uniform(-42, -34), -62, uniform(54, 66), 58, 64) - 1) * 58,
            torch.maximum((neck - 1) * 55, self.z + 40),
            (self._radius(80, 22, -42, 9, uniform(10, 18), uniform(20, 30)) - 1) * 9,
        ]
        soft = 4.0
        self.outline = torch.stack(parts).div_(-soft).logsumexp(0).mul_(-soft)

    def _paint_soft_tissue(self) -> None:
        uniform, inside = self.rng.uniform, self.outline < 0
        self._paint(inside, HeadTissue.MUSCLE)
        self._paint(inside & (self._noise(8, 20) > uniform(0.2, 1.2)), HeadTissue.FAT)
        facial = inside & (self._noise(8, 20) > uniform(0.9, 2)) & (self.z < -30)
        self._paint(facial, HeadTissue.BONE)
        skin = uniform(1, 3)
        self._paint(inside & (self.outline > -skin - uniform(0.5, 6)), HeadTissue.FAT)
        self._paint(inside & (self.outline > -skin), HeadTissue.SKIN)
        temporal = (self.beyond < self.skull + self.temporalis) & (self.temporalis > 1.5)
        self._paint(temporal & (self.outline < -skin), HeadTissue.MUSCLE)

    def _paint_face(self) -> None:
        uniform, inside = self.rng.uniform, self.outline < -2
        lining = self._noise(5, 10)
        self._paint(inside & (self._ball(27, -46, -37, 21, 28, 18) < 1), HeadTissue.FAT)
        globe = self._ball(uniform(30, 35), -58, -38, 12, 12, 12)
        self._paint(globe < 1, HeadTissue.MUSCLE)
        self._paint(globe < 0.85, HeadTissue.VITREOUS)
        for x, y, z, *radii in ((28, -55, -63, 14, 18, 16), (0, -40, -40, 13, 24, 9)):
            sinus = self._ball(x, y, z, *radii)
            self._paint(inside & (sinus < 1), HeadTissue.MUCOSA)
            filling = 1.2 if self.rng.event(0.12) else uniform(0, 0.3)
            self._paint(inside & (sinus < 1 - filling + lining * 0.2), HeadTissue.AIR)
        nose = inside & (self._ball(0, -66, -56, 13, 30, 22) < 1)
        self._paint(nose, HeadTissue.MUCOSA)
        self._paint(nose & (lining > uniform(-0.6, 0.6)), HeadTissue.AIR)
        self._paint(inside & (self._ball(0, -8, -95, 12, 8, 42) < 1), HeadTissue.AIR)
        if self.rng.event(0.5):
            self._paint(inside & (self._ball(0, -55, -98, 22, 28, 5) < 1), HeadTissue.AIR)

    def _paint_skull(self) -> None:
        uniform = self.rng.uniform
        self._paint(self.beyond < self.skull, HeadTissue.BONE)
        layer = (self.beyond - self.dura) / self.bone
        width = uniform(0.1, 0.32)
        diploe = ((layer - 0.5).abs() < width) & (self.bone > 3.5)
        self._paint(diploe & (self._noise(6, 25) > uniform(-2, 1.5)), HeadTissue.MARROW)
        cells = self._noise(3, 8)
        frontal = self._ball(10, -82, -16, uniform(3, 14), 7, uniform(5, 14))
        for cavity in (frontal, self._ball(55, 38, -48, 14, 19, 17)):
            self._paint(cavity < 1, HeadTissue.BONE)
            self._paint((cavity < 0.9) & (cells > uniform(-1, 1)), HeadTissue.AIR)
            if self.rng.event(0.1):
                self._paint((cavity < 0.9) & (cells > 0), HeadTissue.MUCOSA)
        self._paint(self.beyond < self.dura, HeadTissue.DURA)
        self._paint(self.beyond < self.csf, HeadTissue.CSF)
        # Petrous ridges and clivus rise into the closed cavity, between the parts of the brain.
        petrous = self._ball(36, 24, -43, 21, 10, 9)
        self._paint(petrous < 1, HeadTissue.BONE)
        self._paint((petrous < 0.8) & (cells > uniform(0, 2)), HeadTissue.MARROW)
        clivus = self._ball(0, 1, -49, 12, 8, 20)
        self._paint(clivus < 1, HeadTissue.BONE)
        self._paint(clivus < uniform(0.5, 0.9), HeadTissue.MARROW)

    def _paint_spine(self) -> None:
        uniform = self.rng.uniform
        below = (self.z < -60) & (self.outline < -3)
        middle = 47 + uniform(-0.25, 0.35) * (self.z + 67)
        canal = torch.sqrt((self.side / 11) ** 2 + ((self.y - middle) / 9) ** 2)
        body = torch.sqrt((self.side / 15) ** 2 + ((self.y - middle + 21) / 11) ** 2)
        lower = below & (self.z < -75 + self._noise(6, 12) * 2)
        self._paint(lower & (canal < 1.6) & (canal > 1), HeadTissue.BONE)
        self._paint(lower & (body < 1), HeadTissue.BONE)
        self._paint(lower & (body < 0.88), HeadTissue.MARROW)
        self._paint(below & (canal < 1), HeadTissue.CSF)
        self._paint(below & (canal < uniform(0.5, 0.75)), HeadTissue.CORD)

    def _paint(self, where: Tensor, tissue: HeadTissue) -> None:
        self.labels.masked_fill_(where, int(tissue))

    def _noise(self, low: float, high: float) -> Tensor:
        scale = self.rng.uniform(low, high)
        return smooth_noise(self.rng, self.grid.shape, self.grid.voxel, scale)[0]

    def _radius(self, x: float, y: float, z: float, rx: float, ry: float, rz: float) -> Tensor:
        """Distance from (±x, y, z) in semi-axes of an ellipsoid; both sides at once."""
        squared = ((self.side - x) / rx) ** 2
        squared += ((self.y - y) / ry) ** 2
        squared += ((self.z - z) / rz) ** 2
        return squared.sqrt_()

    def _ball(self, x: float, y: float, z: float, rx: float, ry: float, rz: float) -> Tensor:
        """:meth:`_radius` of an ellipsoid that differs from head to head."""
        shift, scale = (lambda: self.rng.normal(1.5)), self.rng.uniform(0.82, 1.18)
        return self._radius(
            x + shift() * (x > 0), y + shift(), z + shift(), rx * scale, ry * scale, rz * scale
        )
