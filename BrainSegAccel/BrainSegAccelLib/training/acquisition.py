"""What the scanner and the preprocessing do to an ideal image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .chance import Chance
from .geometry import Grid
from .noise import blur, smooth_noise

_REFERENCE = 1.2
"""Intensity that a gamma change leaves alone; about the brightest normal tissue."""


def acquire(chance: Chance, grid: Grid, image: Tensor) -> Tensor:
    """Scan the ideal ``image`` [D, H, W]: a non-negative image of the same shape.

    Texture, residual misregistration, in-plane resolution and slice thickness, bias field, the
    scanner's grey scale, and Rician noise that is smoothed as interpolated images are.
    """
    grain = smooth_noise(chance, grid.shape, grid.voxel, chance.uniform(1.5, 3))[0]
    image = image * (1 + grain * chance.uniform(0, 0.03))
    mottle = smooth_noise(chance, grid.shape, grid.voxel, chance.uniform(4, 8))[0]
    image += mottle * chance.uniform(0, 0.03)
    if chance.event(0.35):
        image = _shift(image, [chance.normal(0.5) / grid.voxel for _ in range(3)])
    image = blur(image[None], _resolution(chance, grid.voxel))[0]
    bias = smooth_noise(chance, grid.shape, grid.voxel, chance.uniform(60, 140))[0]
    image *= torch.exp(bias * chance.uniform(0, 0.16))
    gamma = math.exp(chance.normal(0.2))
    image = (image / _REFERENCE).clamp_(min=1e-4).pow_(gamma).mul_(_REFERENCE)
    level = min(0.06, abs(chance.normal(0.022)))
    noise = chance.white((2, *image.shape)) * level
    if chance.event(0.5):
        # Resampled scans carry noise that is correlated over neighbouring voxels.
        noise = blur(noise, (chance.uniform(0.3, 0.8),) * 3)
    return torch.sqrt((image + noise[0]) ** 2 + noise[1] ** 2)


def _resolution(chance: Chance, voxel: float) -> list[float]:
    """Blur along z, y, x in voxels: isotropic, plus thick slices in half of cases."""
    deviations = [chance.uniform(0, 1.1) / voxel] * 3
    if chance.event(0.55):
        axis = {"z": 0, "y": 1, "x": 2}[chance.pick({"z": 0.6, "y": 0.2, "x": 0.2})]
        deviations[axis] += chance.uniform(0.6, 2.6) / voxel
    return deviations


def _shift(image: Tensor, voxels: list[float]) -> Tensor:
    """Move ``image`` by a fraction of a voxel (at most one) along each axis, linearly."""
    for axis, amount in enumerate(voxels):
        amount = max(-1.0, min(1.0, amount))
        neighbour = torch.roll(image, 1 if amount > 0 else -1, axis)
        image = torch.lerp(image, neighbour, abs(amount))
    return image
