"""What the tissues around the brain look like on each sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from .anatomy import Anatomy
from .geometry import Grid
from .head_shape import HeadTissue
from .noise import smooth_noise
from .rng import Rng

_Range = tuple[float, float]

# Relative intensities as in contrast.py: white matter on T1 is about one, air is zero. CSF and
# spinal cord follow the brain's own images.
_T1: dict[HeadTissue, _Range] = {
    HeadTissue.DURA: (0.2, 0.8),
    HeadTissue.BONE: (0.02, 0.22),
    HeadTissue.MARROW: (0.3, 1.6),
    HeadTissue.MUSCLE: (0.4, 0.8),
    HeadTissue.FAT: (1.0, 2.3),
    HeadTissue.SKIN: (0.4, 1.3),
    HeadTissue.VITREOUS: (0.08, 0.4),
    HeadTissue.MUCOSA: (0.4, 0.8),
}
_AGENT: dict[HeadTissue, _Range] = {
    HeadTissue.DURA: (0, 1),
    HeadTissue.MARROW: (0, 0.2),
    HeadTissue.MUSCLE: (0, 0.25),
    HeadTissue.SKIN: (0, 0.4),
    HeadTissue.MUCOSA: (0.2, 1),
}
"""What contrast agent adds to T1."""
_T2: dict[HeadTissue, _Range] = {
    HeadTissue.DURA: (0.1, 0.6),
    HeadTissue.BONE: (0.02, 0.2),
    HeadTissue.MARROW: (0.15, 0.9),
    HeadTissue.MUSCLE: (0.12, 0.4),
    HeadTissue.FAT: (0.4, 1.5),
    HeadTissue.SKIN: (0.2, 0.8),
    HeadTissue.VITREOUS: (0.85, 1.5),
    HeadTissue.MUCOSA: (0.6, 1.4),
}
_FLAIR: dict[HeadTissue, _Range] = {
    HeadTissue.DURA: (0.15, 0.7),
    HeadTissue.BONE: (0.02, 0.2),
    HeadTissue.MARROW: (0.15, 0.9),
    HeadTissue.MUSCLE: (0.2, 0.5),
    HeadTissue.FAT: (0.3, 1.5),
    HeadTissue.SKIN: (0.2, 0.9),
    HeadTissue.VITREOUS: (0.04, 0.4),
    HeadTissue.MUCOSA: (0.5, 1.2),
}
_FAT_SUPPRESSED: _Range = (0.05, 0.4)


def add_head(
    rng: Rng, grid: Grid, anatomy: Anatomy, head: Tensor, ideal: list[Tensor]
) -> list[Tensor]:
    """Put the head around ideal images of the brain, before they are acquired.

    :param head: :class:`HeadTissue` as uint8 [D, H, W], see ``draw_head``.
    :param ideal: T1, T1c, T2 and FLAIR [D, H, W], see ``render_sequences``.
    :returns: images of the whole head; unchanged where ``anatomy.mask`` is true.
    """
    t1, t2, flair = (_draw(rng, ranges) for ranges in (_T1, _T2, _FLAIR))
    t1c = dict(t1)
    for tissue, (low, high) in _AGENT.items():
        t1c[tissue] += rng.uniform(low, high)
    fine = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(2, 5))[0]
    coarse = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(10, 30))[0]
    texture = (1 + fine * rng.uniform(0, 0.12) + coarse * rng.uniform(0, 0.15)).clamp_(min=0)
    indices = head.int().flatten()
    images = []
    for image, levels, suppression in zip(
        ideal, (t1, t1c, t2, flair), (0.12, 0.25, 0.25, 0.3), strict=True
    ):
        if rng.event(suppression):
            shown = rng.uniform(*_FAT_SUPPRESSED)
            levels = levels | {
                HeadTissue.FAT: levels[HeadTissue.FAT] * shown,
                HeadTissue.MARROW: levels[HeadTissue.MARROW] * (shown + 1) / 2,
            }
        levels = levels | {
            HeadTissue.CSF: _level(image, anatomy.csf * anatomy.mask),
            HeadTissue.CORD: _level(image, anatomy.white * anatomy.mask),
            HeadTissue.AIR: 0.0,
        }
        table = torch.tensor([levels[tissue] for tissue in HeadTissue]).to(image)
        around = table.index_select(0, indices).reshape(image.shape) * texture
        images.append(torch.where(anatomy.mask, image, around))
    return images


def _draw(rng: Rng, ranges: dict[HeadTissue, _Range]) -> dict[HeadTissue, float]:
    return {tissue: rng.uniform(low, high) for tissue, (low, high) in ranges.items()}


def _level(image: Tensor, fraction: Tensor) -> float:
    """Mean of an image where a tissue fills its voxels."""
    weights = fraction**4
    return float((image * weights).sum() / weights.sum().clamp_min(1e-3))
