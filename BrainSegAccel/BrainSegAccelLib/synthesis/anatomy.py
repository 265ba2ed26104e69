"""Healthy anatomy: tissue fractions, landmarks and the brain mask of one head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .atlas import DEPTH_LIMIT, Atlas
from .geometry import Grid, sample
from .noise import blur, smooth_noise
from .rng import Rng


@dataclass(frozen=True)
class Anatomy:
    """Maps [D, H, W] on the case's grid.

    ``grey``, ``white``, ``csf`` are fractions that sum to one; ``ventricle``, ``deep`` and
    ``hindbrain`` lie within them; ``residual`` is the template's own texture; ``depth`` is mm below
    the edge of the brain ``mask`` (bool); ``midline`` is the distance in mm from the midsagittal
    plane (signed, positive to the left); ``height`` is mm above the atlas's zero.
    """

    grey: Tensor
    white: Tensor
    csf: Tensor
    ventricle: Tensor
    deep: Tensor
    hindbrain: Tensor
    residual: Tensor
    depth: Tensor
    mask: Tensor
    midline: Tensor
    height: Tensor

    def with_fluid(self, fraction: Tensor) -> Anatomy:
        """The same head with ``fraction`` [D, H, W] of each voxel replaced by CSF."""
        rest = 1 - fraction
        return replace(
            self,
            grey=self.grey * rest,
            white=self.white * rest,
            csf=self.csf * rest + fraction,
            deep=self.deep * rest,
            hindbrain=self.hindbrain * rest,
        )


def draw_anatomy(rng: Rng, atlas: Atlas, grid: Grid, source: Tensor) -> Anatomy:
    """Read the atlas at ``source`` [3, D, H, W] (see ``deformed_positions``) and vary the tissues.

    The average brain is blurred: its fractions are sharpened, and noise restores what averaging
    lost (cortical folds, wide or narrow sulci, cisterns and pockets of CSF).
    """
    maps = sample(atlas.maps, atlas, source)
    brain = maps[:3].sum(0)
    ventricle, relative_depth = maps[3], maps[7]

    def noise(low: float, high: float, channels: int = 1) -> Tensor:
        return smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(low, high), channels)

    cortical = (1 - relative_depth).clamp(0.15, 1)
    logits = maps[:3].clamp_min(1e-3).log_().mul_(rng.uniform(1.3, 3.2))
    folds = noise(4.5, 9, 2) * rng.uniform(0.4, 1.6)
    logits[0] += folds[0] * cortical
    logits[2] += folds[1] * cortical * 1.2 + rng.uniform(-0.8, 0.9)
    wide = torch.relu(noise(15, 35)[0] + rng.uniform(-1, 0.6)) * rng.uniform(0, 2.2)
    logits[2] += wide * (0.4 + 0.6 * cortical)
    if rng.event(0.5):
        near = blur((maps[2] * (1 - ventricle))[None], (3.0 / grid.voxel,) * 3)[0]
        pockets = torch.sigmoid((noise(9, 16)[0] - rng.uniform(1.3, 2.2)) * 4)
        pockets *= torch.sigmoid((near - rng.uniform(0.15, 0.35)) * 15)
        logits[2] += pockets * rng.uniform(2, 7)
    grey, white, csf = logits.softmax(0)

    depth = relative_depth * DEPTH_LIMIT
    depth = depth + noise(20, 60)[0] * rng.uniform(0, 1.5) - rng.uniform(-0.5, 2.5)
    mask = (brain > 0.5) & (depth > 0)
    return Anatomy(
        grey=grey,
        white=white,
        csf=csf,
        ventricle=ventricle,
        deep=maps[4],
        hindbrain=maps[5],
        residual=maps[6],
        depth=depth,
        mask=mask,
        midline=source[0],
        height=source[2],
    )
