"""Structures that look like tumour and are not: vessels, meninges, plexus, white-matter lesions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .anatomy import Anatomy
from .geometry import Grid
from .lesions import TumourMaps
from .noise import blur, smooth_noise
from .rng import Rng


@dataclass(frozen=True)
class Mimics:
    """Soft maps [D, H, W] in 0 to 1; ``blood`` is bright on T1 with and without contrast agent.

    ``vessels`` are 0 where tumour enhances: there nothing tells them from it.
    """

    white_matter_lesions: Tensor
    vessels: Tensor
    meninges: Tensor
    sinus: Tensor
    falx: Tensor
    plexus: Tensor
    blood: Tensor


def draw_mimics(rng: Rng, grid: Grid, anatomy: Anatomy, tumour: TumourMaps) -> Mimics:
    """Draw every map; many of them stay empty in a given case."""

    def noise(low: float, high: float, channels: int = 1) -> Tensor:
        return smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(low, high), channels)

    def above(field: Tensor, low: float, high: float, steepness: float) -> Tensor:
        return torch.sigmoid((field - rng.uniform(low, high)) * steepness)

    empty = torch.zeros(grid.shape, device=rng.device)
    spots = empty
    if rng.event(0.5):
        caps = blur(anatomy.ventricle[None], (3 / grid.voxel,) * 3)[0]
        caps += noise(8, 12)[0] * 0.05
        spots = above(caps, 0.1, 0.35, 20) * anatomy.white * rng.uniform(0.2, 1)
        if rng.event(0.6):
            small = above(noise(5, 8)[0], 2.2, 3.5, 6) * anatomy.white
            spots = torch.maximum(spots, small)
    blood = empty
    if rng.event(0.2):
        blood = above(noise(5, 14)[0], 2.0, 3.0, 5)

    # Two noise fields are both near zero along curves: tubes. Vessels keep to CSF, but those that
    # feed or drain a tumour are wider and run through whatever is about it.
    room = anatomy.csf + 0.15 * anatomy.grey + 0.05 * anatomy.white
    width = torch.full_like(room, rng.uniform(0.1, 0.28))
    if rng.event(0.4):
        about = blur(tumour.whole[None], (rng.uniform(3, 8) / grid.voxel,) * 3)[0]
        width = width * (1 + about * rng.uniform(0, 1.5))
        room = room + about * rng.uniform(0, 0.6)
    tubes = torch.exp(-(noise(5, 12, 2) ** 2).sum(0) / (2 * width**2))
    vessels = tubes * room.clamp(0, 1) * (1 - tumour.enhancing)
    meninges = torch.sigmoid((rng.uniform(1, 3) - anatomy.depth) / 0.7)
    meninges *= above(noise(15, 40)[0], -1, 1.5, 3)
    squared = anatomy.midline**2
    sinus = torch.exp(-squared / rng.uniform(2, 6.5) ** 2)
    sinus *= torch.sigmoid(rng.uniform(2, 10) - anatomy.depth)
    sinus *= torch.sigmoid(anatomy.height / 10 + rng.uniform(0, 6))
    falx = torch.exp(-squared / rng.uniform(0.8, 1.5) ** 2) * anatomy.csf
    falx *= torch.sigmoid(noise(18, 22)[0] * 3)
    plexus = anatomy.ventricle * above(noise(6, 9)[0], 0.6, 1.5, 6)
    return Mimics(spots, vessels, meninges, sinus, falx, plexus, blood)
