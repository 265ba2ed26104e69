"""Synthetic heads with their skull on: whole cases of which the brain is to be found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .acquisition import acquire
from .atlas import load_atlas
from .cases import draw_scene
from .geometry import HeadPose, sample
from .head_contrast import add_head
from .head_shape import HeadAtlas, HeadTissue, draw_head, head_grid
from .lesions import KIND_WEIGHTS
from .rng import Rng

TILT = 12.0
"""Standard deviation in degrees of how far a head nods on its rest, beyond a case's own pose."""


@dataclass(frozen=True)
class SyntheticHead:
    """One head; axes z, y, x in LPS order.

    ``images`` [4, D, H, W] float32, channels t1, t1c, t2, flair, non-negative arbitrary units.
    ``mask`` [D, H, W] bool is the brain, ``air`` what lies outside the head. ``voxel`` in mm.
    """

    images: Tensor
    mask: Tensor
    air: Tensor
    voxel: float
    seed: int


class HeadGenerator:
    """Makes heads from seeds: the same seed, the same head.

    :param voxel: voxel edge in mm.
    """

    def __init__(self, voxel: float, device: torch.device | None = None) -> None:
        self.voxel = voxel
        self.device = device or torch.device("cpu")
        self._atlas = load_atlas().to(self.device)
        self._head_atlas = HeadAtlas.of(self._atlas)
        self._brain = self._atlas.maps[:3].sum(0, keepdim=True)

    @torch.no_grad()
    def generate(self, seed: int, sequences: tuple[int, ...] = (0, 1, 2, 3)) -> SyntheticHead:
        """Make the head of ``seed``; ``sequences`` are the channels to acquire, in this order."""
        rng, atlas = Rng(seed, self.device), self._atlas
        kind = rng.pick(KIND_WEIGHTS)
        pose = _nod(rng, HeadPose.draw(rng, atlas))
        grid = head_grid(rng, pose, self.voxel)
        scene = draw_scene(rng, atlas, pose, grid, kind)
        # A case's mask is as tight as some tool left it; in a head, the brain ends where it ends.
        mask = sample(self._brain, atlas, scene.source)[0] > 0.5
        anatomy = replace(scene.anatomy, mask=mask)
        head = draw_head(rng, self._head_atlas, grid, scene.source)
        whole = add_head(rng, grid, anatomy, head, scene.sequences.images)
        images = torch.stack([acquire(rng, grid, whole[channel]) for channel in sequences])
        air = (head == HeadTissue.AIR) & ~mask
        return SyntheticHead(images, mask, air, self.voxel, seed)


def _nod(rng: Rng, pose: HeadPose) -> HeadPose:
    """Turn a head about the axis from ear to ear."""
    angle = math.radians(rng.normal(TILT))
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]])
    return replace(pose, matrix=pose.matrix @ turn)
