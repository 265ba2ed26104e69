"""Samples of the tumour network: windows of brains, modalities dropped, intensities varied."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ..study.modality import Modality
from ..synthesis.geometry import Shape
from ..synthesis.rng import Rng
from .config import Stage
from .normalisation import normalise, remove_shading
from .samples import Sample
from .sources import TrainingCase
from .windows import centred_window, cut


@torch.no_grad()
def draw_sample(rng: Rng, case: TrainingCase, stage: Stage, subsets: Mapping[str, float]) -> Sample:
    """Cut one sample out of ``case``: window, mirror image, subset, intensities.

    :param rng: draws fields on the device of the case, where the sample will be too.
    :param subsets: how often each subset is shown, by availability of t1, t1c, t2, flair: "1011".
    """
    present = _draw_subset(rng, subsets, case.images.flatten(1).any(dim=1).tolist())
    voxel = round(case.voxel)
    shape = (stage.shape[0] // voxel, stage.shape[1] // voxel, stage.shape[2] // voxel)
    if stage.whole_brain:
        start = centred_window(case.mask, shape, jitter=[rng.integer(-3, 3) for _ in range(3)])
    else:
        start = _random_window(rng, case, shape)
    mask = cut(case.mask[None], start, shape)[0]
    regions = cut(case.regions, start, shape)
    images = case.images.new_zeros((4, *shape))
    for channel, (modality, there) in enumerate(zip(Modality, present, strict=True)):
        if there:
            varied = _vary_intensity(rng, case.images[channel])
            # Zero within the mask: beyond the sequence's field of view, no tissue of its own.
            covered = case.mask & (case.images[channel] > 0)
            varied = remove_shading(varied, covered, case.voxel, modality)
            scored = _vary_scores(rng, normalise(varied, covered), covered)
            images[channel] = cut(scored[None], start, shape)[0]
    availability = torch.tensor(present, dtype=torch.float32).to(images.device)
    if voxel > 1:
        images, regions, mask = _refine(images, regions, mask, voxel)
        shown = mask & (images != 0)
        images = (images + rng.white(images.shape) * rng.uniform(0, 0.12)) * shown
    if rng.event(0.5):
        images, regions = images.flip(-1), regions.flip(-1)
    return Sample(images.half(), availability, (regions > 0.5).to(torch.uint8))


def _random_window(rng: Rng, case: TrainingCase, shape: Shape) -> list[int]:
    """A window that mostly lies within the head, in three of four cases around a tumour voxel."""
    whole = case.regions[2] > 0.5
    about_tumour = rng.event(0.75) and bool(whole.any())
    candidates = (whole if about_tumour else case.mask).nonzero()
    place = candidates[rng.integer(0, len(candidates) - 1)].tolist()
    start = []
    for middle, size, limit in zip(place, shape, case.mask.shape, strict=True):
        wanted = middle - size // 2 + round(rng.uniform(-0.3, 0.3) * size)
        start.append(max(min(0, limit - size), min(max(0, limit - size), wanted)))
    return start


def _draw_subset(rng: Rng, subsets: Mapping[str, float], there: list[bool]) -> list[bool]:
    """Which modalities are shown, of those that are there: at least one."""
    subset = rng.pick(subsets)
    shown = [flag == "1" and has for flag, has in zip(subset, there, strict=True)]
    return shown if any(shown) else there


def _vary_intensity(rng: Rng, image: Tensor) -> Tensor:
    """Another grey scale and a little noise, so that repeats of a case differ."""
    if not rng.event(0.5):
        return image
    bright = image.max().clamp_min(1e-3)
    varied = (image / bright).pow(math.exp(rng.normal(0.15))) * bright
    if rng.event(0.4):
        varied += rng.white(image.shape) * rng.uniform(0, 0.04)
    return varied


def _vary_scores(rng: Rng, scores: Tensor, covered: Tensor) -> Tensor:
    """Another gain and offset where ``covered``.

    What else lies in the mask moves every z-score of a sequence: a network that trusts their
    absolute size takes what is a little darker or brighter on a scanner for other tissue.
    """
    if not rng.event(0.5):
        return scores
    return (scores * math.exp(rng.normal(0.15)) + rng.normal(0.2)) * covered


def _refine(
    images: Tensor, regions: Tensor, mask: Tensor, factor: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Interpolate to a grid ``factor`` times finer; soft regions become smooth borders."""
    maps = torch.cat([images, regions, mask[None].to(images)])[None]
    fine = functional.interpolate(
        maps, scale_factor=float(factor), mode="trilinear", align_corners=False
    )[0]
    return fine[:4], fine[4:7], fine[7] > 0.5
