"""Training samples: windows of cases, with modalities dropped and intensities varied."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from ..geometry.bounding_box import bounding_box
from ..geometry.volume import Box
from ..study.modality import Modality
from ..synthesis.geometry import Shape
from ..synthesis.rng import Rng
from .config import Stage, TrainingConfig
from .interruption import leave_interruptions_to_parent
from .normalisation import normalise, remove_shading
from .sources import CaseSource, TrainingCase

_SEEDS_PER_STAGE = 10_000_000


class Sample(NamedTuple):
    """``x`` [4, D, H, W] float16, ``availability`` [4] float32, ``regions`` [3, D, H, W] uint8."""

    x: Tensor
    availability: Tensor
    regions: Tensor


class SampleStream(Dataset[Sample]):
    """Samples of one stage by index; sample n is a pure function of configuration, source and n.

    Each case serves ``samples_per_case`` samples, spread out so that neighbours show different
    cases: sample n of a worker shows case n // k - n % k. A worker therefore keeps k cases, and
    cases of different workers are disjoint.
    """

    def __init__(self, config: TrainingConfig, stage_index: int, source: CaseSource) -> None:
        self.config = config
        self.stage: Stage = config.stages[stage_index]
        self.source = source
        self.first_seed = (config.seed * 100 + stage_index + 1) * _SEEDS_PER_STAGE
        self._cases: dict[int, TrainingCase] = {}

    def __len__(self) -> int:
        return self.stage.steps * self.stage.batch_size

    def __getitem__(self, index: int) -> Sample:
        case = self._case(self.case_number(index))
        rng = Rng(self.first_seed + _SEEDS_PER_STAGE // 2 + index, case.images.device)
        sample = draw_sample(rng, case, self.stage, self.config.subsets)
        # Between processes samples travel through host memory.
        return Sample(*(part.cpu() for part in sample)) if self.config.workers else sample

    def case_number(self, index: int) -> int:
        """The source's number of the case that sample ``index`` shows."""
        stage, workers = self.stage, max(1, self.config.workers)
        batch, within = divmod(index, stage.batch_size)
        turn, worker = divmod(batch, workers)
        tick, repeat = divmod(turn * stage.batch_size + within, stage.samples_per_case)
        # The first samples look back before case 0: shift so that seeds stay within the stage.
        number = (tick - repeat + stage.samples_per_case) * workers + worker
        return self.first_seed + number

    def _case(self, number: int) -> TrainingCase:
        if number not in self._cases:
            self._cases[number] = self.source.case(number)
            if len(self._cases) > self.stage.samples_per_case:
                # The lowest number is the one whose last sample has been drawn.
                del self._cases[min(self._cases)]
        return self._cases[number]


def begin_worker(_: int) -> None:
    """Prepare a process that draws samples: here, so that it imports no more than this takes."""
    leave_interruptions_to_parent()
    os.nice(5)  # The network has precedence: a worker only takes what it leaves.
    torch.set_num_threads(1)


@torch.no_grad()
def draw_sample(rng: Rng, case: TrainingCase, stage: Stage, subsets: Mapping[str, float]) -> Sample:
    """Cut one sample out of ``case``: window, mirror image, subset, intensities.

    :param subsets: how often each subset is shown, by availability of t1, t1c, t2, flair: "1011".
    :param rng: draws fields on the device of the case, where the sample will be too.
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


def box_of(mask: Tensor) -> Box:
    """Return the smallest box around ``mask`` [D, H, W]; everything if it is empty."""
    depth, height, width = mask.shape
    everything = slice(0, depth), slice(0, height), slice(0, width)
    return bounding_box(mask.cpu().numpy()) or everything


def centred_window(mask: Tensor, shape: Shape, jitter: Sequence[int] = (0, 0, 0)) -> list[int]:
    """First voxel of a window of ``shape`` with the mask's bounding box in its middle."""
    return [
        (side.start + side.stop) // 2 - size // 2 + moved
        for side, size, moved in zip(box_of(mask), shape, jitter, strict=True)
    ]


def cut(maps: Tensor, start: Sequence[int], shape: Shape) -> Tensor:
    """The window [C, *shape] of ``maps`` [C, D, H, W] at ``start``, zero beyond the border."""
    window = maps.new_zeros((maps.shape[0], *shape))
    source, target = [slice(None)], [slice(None)]
    for first, size, whole in zip(start, shape, maps.shape[1:], strict=True):
        low, high = max(0, first), min(whole, first + size)
        if low >= high:
            return window
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    window[tuple(target)] = maps[tuple(source)]
    return window


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
