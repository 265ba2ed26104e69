"""Synthetic cases: four sequences of a head with or without a tumour, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .acquisition import acquire
from .anatomy import draw_anatomy
from .atlas import load_atlas
from .chance import Chance
from .contrast import render_sequences
from .geometry import Grid, HeadPose, Shape, deformed_positions
from .lesions import (
    KIND_WEIGHTS,
    CaseKind,
    draw_tumour,
    masses,
    plan_lesions,
)
from .mimics import draw_mimics


@dataclass(frozen=True)
class SyntheticCase:
    """One case; axes z, y, x in LPS order.

    ``images`` [4, D, H, W] float32, channels t1, t1c, t2, flair, non-negative arbitrary units, 0
    outside the brain. ``regions`` [3, D, H, W] float32 in 0 to 1: soft ET, TC, WT, nested; the
    regions proper are where they exceed 0.5. ``mask`` [D, H, W] bool is the brain. ``voxel`` in mm.
    """

    images: Tensor
    regions: Tensor
    mask: Tensor
    voxel: float
    kind: CaseKind
    seed: int

    def label_map(self) -> Tensor:
        """Labels [D, H, W] uint8: 1 necrotic core, 2 oedema, 3 enhancing tumour, 0 elsewhere."""
        enhancing, core, whole = self.regions > 0.5
        labels = torch.zeros(self.mask.shape, dtype=torch.uint8, device=self.mask.device)
        labels[whole] = 2
        labels[core] = 1
        labels[enhancing] = 3
        return labels


class CaseGenerator:
    """Makes cases from seeds: the same seed, the same case.

    :param voxel: voxel edge in mm.
    :param shape: (z, y, x) of a block around a random place in the brain; None for whole brains,
        whose shape follows the head.
    :param device: where the fields are computed.
    """

    def __init__(
        self,
        voxel: float = 1.0,
        shape: Shape | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.voxel = voxel
        self.shape = shape
        self.device = device or torch.device("cpu")
        self._atlas = load_atlas().to(self.device)

    @torch.no_grad()
    def generate(self, seed: int, kind: CaseKind | None = None) -> SyntheticCase:
        """Make the case of ``seed``; ``kind`` forces the sort of disease."""
        chance = Chance(seed, self.device)
        drawn = CaseKind(chance.pick(KIND_WEIGHTS))
        kind = kind or drawn
        pose = HeadPose.draw(chance, self._atlas)
        grid = self._grid(chance, pose)
        lesions = plan_lesions(chance, self._atlas, pose, grid, kind)
        source = deformed_positions(chance, self._atlas, pose, grid, masses(chance, lesions))
        anatomy = draw_anatomy(chance, self._atlas, grid, source)
        tumour = draw_tumour(chance, grid, anatomy, lesions)
        mimics = draw_mimics(chance, grid, anatomy)
        ideal = render_sequences(chance, grid, kind, anatomy, tumour, mimics)
        images = torch.stack([acquire(chance, grid, image) for image in ideal]) * anatomy.mask
        core = tumour.core
        # Where core and oedema share a voxel neither may reach one half: the sum decides.
        regions = torch.stack([tumour.enhancing, core, core + tumour.oedema])
        return SyntheticCase(images, regions, anatomy.mask, self.voxel, kind, seed)

    def _grid(self, chance: Chance, pose: HeadPose) -> Grid:
        if self.shape is None:
            return pose.fitting_grid(self.voxel)
        x, y, z = (chance.uniform(-0.3, 0.3) * size for size in pose.extent)
        return Grid(self.shape, self.voxel, (x, y, z))
