"""What the scanner and the preprocessing do to an ideal image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .geometry import Grid
from .noise import blur, smooth_noise
from .rng import Rng

_REFERENCE = 1.2
"""Intensity that a gamma change leaves alone; about the brightest normal tissue."""


def acquire(rng: Rng, grid: Grid, image: Tensor) -> Tensor:
    """Scan the ideal ``image`` [D, H, W]: a non-negative image of the same shape.

    Texture, residual misregistration, in-plane resolution and slice thickness, bias field, the
    scanner's grey scale, and Rician noise that is smoothed as interpolated images are.
    """
    grain = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(1.5, 3))[0]
    image = image * (1 + grain * rng.uniform(0, 0.03))
    mottle = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(4, 8))[0]
    image += mottle * rng.uniform(0, 0.03)
    if rng.event(0.35):
        image = _shift(image, [rng.normal(0.5) / grid.voxel for _ in range(3)])
    if rng.event(0.25):
        image = _thick_slices(rng, grid, image)
    else:
        image = blur(image[None], _resolution(rng, grid.voxel))[0]
    image *= torch.exp(_sensitivity(rng, grid))
    gamma = math.exp(rng.normal(0.2))
    image = (image / _REFERENCE).clamp_(min=1e-4).pow_(gamma).mul_(_REFERENCE)
    level = min(0.06, abs(rng.normal(0.022)))
    noise = rng.white((2, *image.shape)) * level
    if rng.event(0.5):
        # Resampled scans carry noise that is correlated over neighbouring voxels.
        noise = blur(noise, (rng.uniform(0.3, 0.8),) * 3)
    return torch.sqrt((image + noise[0]) ** 2 + noise[1] ** 2)


def _sensitivity(rng: Rng, grid: Grid) -> Tensor:
    """Logarithm [D, H, W] of what the receive coils make of one signal at different places.

    Uneven everywhere, and often falling towards one or both ends of the head, where coils end.
    """
    field = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(60, 140))[0]
    field *= rng.uniform(0, 0.18)
    for end in (-1, 1):
        if not rng.event(0.4):
            continue
        axis = {"z": 0, "y": 1, "x": 2}[rng.pick({"z": 0.75, "y": 0.15, "x": 0.1})]
        place = torch.linspace(-end, end, grid.shape[axis])
        begin = rng.uniform(-0.3, 0.6)
        fall = ((place - begin) / (1 - begin)).clamp_min(0) ** rng.uniform(1, 2.5)
        along = [1, 1, 1]
        along[axis] = -1
        field -= fall.reshape(along).to(field) * rng.uniform(0, 0.9)
    return field


def _resolution(rng: Rng, voxel: float) -> list[float]:
    """Blur along z, y, x in voxels: isotropic, plus thick slices in half of cases."""
    deviations = [rng.uniform(0, 1.1) / voxel] * 3
    if rng.event(0.55):
        axis = {"z": 0, "y": 1, "x": 2}[rng.pick({"z": 0.6, "y": 0.2, "x": 0.2})]
        deviations[axis] += rng.uniform(0.6, 2.6) / voxel
    return deviations


def _thick_slices(rng: Rng, grid: Grid, image: Tensor) -> Tensor:
    """Average over slices, leave out the gaps, interpolate back: what resampled 2D scans show."""
    axis = {"z": 0, "y": 1, "x": 2}[rng.pick({"z": 0.7, "y": 0.15, "x": 0.15})]
    spacing = rng.uniform(2.5, 6.5)
    thickness = spacing * rng.uniform(0.75, 1)
    size = image.shape[axis]
    matrix = slice_matrix(size, spacing / grid.voxel, thickness / grid.voxel, rng.uniform())
    in_plane = [rng.uniform(0, 0.8) / grid.voxel] * 3
    in_plane[axis] = 0.0
    image = blur(image[None], in_plane)[0]
    moved = image.movedim(axis, 0)
    through = matrix.to(image) @ moved.flatten(1)
    return through.reshape(moved.shape).movedim(0, axis).contiguous()


def slice_matrix(size: int, spacing: float, thickness: float, phase: float) -> Tensor:
    """Scanning ``size`` voxels in slices and interpolating back, as a matrix [size, size].

    :param spacing: distance of slice centres in voxels.
    :param thickness: extent of a slice in voxels, at most ``spacing``; the rest is gap.
    :param phase: where the first slice lies, 0 to 1 of the spacing.
    """
    first = (phase - 1) * spacing
    count = math.ceil((size - first) / spacing) + 1
    centres = first + spacing * torch.arange(count)
    voxels = torch.arange(size)
    # Overlap of the voxel [v - 1/2, v + 1/2] with the slice's profile.
    low = torch.maximum(voxels - 0.5, centres[:, None] - thickness / 2)
    high = torch.minimum(voxels + 0.5, centres[:, None] + thickness / 2)
    seen = (high - low).clamp_min(0)
    # A slice beyond the border repeats the nearest voxel.
    nearest = centres.round().long().clamp(0, size - 1)
    empty = seen.sum(1) == 0
    seen[empty, nearest[empty]] = 1
    average = seen / seen.sum(1, keepdim=True)
    position = (voxels - first) / spacing
    below = position.floor().long().clamp(0, count - 2)
    weight = (position - below).unsqueeze(1)
    return (1 - weight) * average[below] + weight * average[below + 1]


def cut_field_of_view(rng: Rng, mask: Tensor) -> list[Tensor]:
    """What each of the four sequences covers: bool [D, H, W] each, most often all of it.

    One case in ten lacks the same slab on all sequences, one in ten a slab of a single sequence.
    """
    everything = torch.ones_like(mask)
    covered = [everything] * 4
    if rng.event(0.1):
        covered = [_without_slab(rng, mask, 0.3)] * 4
    if rng.event(0.1):
        sequence = rng.integer(0, 3)
        covered[sequence] = covered[sequence] & _without_slab(rng, mask, 0.2)
    return covered


def _without_slab(rng: Rng, mask: Tensor, most: float) -> Tensor:
    """True but for up to ``most`` of the brain's height at its top or bottom."""
    inside = mask.any(2).any(1).nonzero()
    covered = torch.ones_like(mask)
    if not len(inside):
        return covered
    low, high = int(inside[0]), int(inside[-1]) + 1
    missing = round(rng.uniform(0.03, most) * (high - low))
    if rng.event(0.5):
        covered[: low + missing] = False
    else:
        covered[high - missing :] = False
    return covered


def _shift(image: Tensor, voxels: list[float]) -> Tensor:
    """Move ``image`` by a fraction of a voxel (at most one) along each axis, linearly."""
    for axis, amount in enumerate(voxels):
        amount = max(-1.0, min(1.0, amount))
        neighbour = torch.roll(image, 1 if amount > 0 else -1, axis)
        image = torch.lerp(image, neighbour, abs(amount))
    return image
