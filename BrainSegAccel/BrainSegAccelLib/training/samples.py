"""Training samples: windows of synthetic cases, with modalities dropped and intensities varied."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from .cases import CaseGenerator, SyntheticCase
from .chance import Chance
from .config import Stage, TrainingConfig
from .geometry import Shape
from .normalisation import normalise

# Subsets of t1, t1c, t2, flair other than the full one, with how often they are drawn. T1c alone
# and the subsets without FLAIR are the hard ones.
_SUBSETS = {
    "1000": 0.8,
    "0100": 2.0,
    "0010": 1.2,
    "0001": 1.2,
    "1100": 1.5,
    "1010": 1.0,
    "1001": 0.8,
    "0110": 1.5,
    "0101": 1.5,
    "0011": 1.0,
    "1110": 2.0,
    "1101": 1.5,
    "1011": 1.2,
    "0111": 1.5,
}
_SEEDS_PER_STAGE = 10_000_000


class Sample(NamedTuple):
    """``x`` [4, D, H, W] float16, ``availability`` [4] float32, ``regions`` [3, D, H, W] uint8."""

    x: Tensor
    availability: Tensor
    regions: Tensor


class SampleStream(Dataset[Sample]):
    """Samples of one stage by index; sample n is a pure function of the configuration and n.

    Each case serves ``samples_per_case`` samples, spread out so that neighbours show different
    cases: sample n of a worker shows case n // k - n % k. A worker therefore keeps k cases, and
    cases of different workers are disjoint.
    """

    def __init__(self, config: TrainingConfig, stage_index: int) -> None:
        self.config = config
        self.stage: Stage = config.stages[stage_index]
        self.first_seed = (config.seed * 100 + stage_index + 1) * _SEEDS_PER_STAGE
        self._cases: OrderedDict[int, SyntheticCase] = OrderedDict()
        self._generator: CaseGenerator | None = None

    def __len__(self) -> int:
        return self.stage.steps * self.stage.batch_size

    def __getitem__(self, index: int) -> Sample:
        case = self._case(self.case_seed(index))
        chance = Chance(self.first_seed + _SEEDS_PER_STAGE // 2 + index, torch.device("cpu"))
        return draw_sample(chance, case, self.stage, self.config.full_set_share)

    def case_seed(self, index: int) -> int:
        """The seed of the case that sample ``index`` shows."""
        stage, workers = self.stage, max(1, self.config.workers)
        batch, within = divmod(index, stage.batch_size)
        turn, worker = divmod(batch, workers)
        tick, repeat = divmod(turn * stage.batch_size + within, stage.samples_per_case)
        # The first samples look back before case 0: shift so that seeds stay within the stage.
        number = (tick - repeat + stage.samples_per_case) * workers + worker
        return self.first_seed + number

    def _case(self, seed: int) -> SyntheticCase:
        if self._generator is None:
            self._generator = CaseGenerator(float(self.stage.case_voxel))
        if seed not in self._cases:
            self._cases[seed] = self._generator.generate(seed)
            if len(self._cases) > self.stage.samples_per_case:
                self._cases.popitem(last=False)
        return self._cases[seed]


@torch.no_grad()
def draw_sample(chance: Chance, case: SyntheticCase, stage: Stage, full_set_share: float) -> Sample:
    """Cut one sample out of ``case``: window, mirror image, subset, intensities."""
    present = _draw_subset(chance, full_set_share)
    shape = tuple(size // stage.case_voxel for size in stage.shape)
    shape = (shape[0], shape[1], shape[2])
    if stage.whole_brain:
        start = centred_window(case.mask, shape, jitter=[chance.integer(-3, 3) for _ in range(3)])
    else:
        start = _random_window(chance, case, shape)
    mask = cut(case.mask[None], start, shape)[0]
    regions = cut(case.regions, start, shape)
    images = torch.zeros((4, *shape))
    for channel in range(4):
        if present[channel] > 0:
            varied = _vary_intensity(chance, case.images[channel])
            images[channel] = cut(normalise(varied, case.mask)[None], start, shape)[0]
    if stage.case_voxel > 1:
        images, regions, mask = _refine(images, regions, mask, stage.case_voxel)
        images += chance.white(images.shape) * chance.uniform(0, 0.12)
        images *= mask * present[:, None, None, None]
    if chance.event(0.5):
        images, regions = images.flip(-1), regions.flip(-1)
    return Sample(images.half(), present, (regions > 0.5).to(torch.uint8))


def centred_window(mask: Tensor, shape: Shape, jitter: list[int] | None = None) -> list[int]:
    """First voxel of a window of ``shape`` with the mask's bounding box in its middle."""
    start = []
    for axis, size in enumerate(shape):
        others = [other for other in range(3) if other != axis]
        inside = mask.any(others[1]).any(others[0]).nonzero()
        middle = (
            (int(inside[0]) + int(inside[-1]) + 1) // 2 if len(inside) else mask.shape[axis] // 2
        )
        start.append(middle - size // 2 + (jitter[axis] if jitter else 0))
    return start


def cut(maps: Tensor, start: list[int], shape: Shape) -> Tensor:
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


def _random_window(chance: Chance, case: SyntheticCase, shape: Shape) -> list[int]:
    """A window that mostly lies within the head, in three of four cases around a tumour voxel."""
    whole = case.regions[2] > 0.5
    about_tumour = chance.event(0.75) and bool(whole.any())
    candidates = (whole if about_tumour else case.mask).nonzero()
    place = candidates[chance.integer(0, len(candidates) - 1)].tolist()
    start = []
    for middle, size, limit in zip(place, shape, case.mask.shape, strict=True):
        wanted = middle - size // 2 + round(chance.uniform(-0.3, 0.3) * size)
        start.append(max(min(0, limit - size), min(max(0, limit - size), wanted)))
    return start


def _draw_subset(chance: Chance, full_set_share: float) -> Tensor:
    subset = "1111" if chance.event(full_set_share) else chance.pick(_SUBSETS)
    return torch.tensor([float(flag) for flag in subset])


def _vary_intensity(chance: Chance, image: Tensor) -> Tensor:
    """Another grey scale and a little noise, so that repeats of a case differ."""
    if not chance.event(0.5):
        return image
    bright = image.max().clamp_min(1e-3)
    varied = (image / bright).pow(math.exp(chance.normal(0.15))) * bright
    if chance.event(0.4):
        varied += chance.white(image.shape) * chance.uniform(0, 0.04)
    return varied


def _refine(
    images: Tensor, regions: Tensor, mask: Tensor, factor: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Interpolate to a grid ``factor`` times finer; soft regions become smooth borders."""
    maps = torch.cat([images, regions, mask[None].to(images)])[None]
    fine = functional.interpolate(
        maps, scale_factor=float(factor), mode="trilinear", align_corners=False
    )[0]
    return fine[:4], fine[4:7], fine[7] > 0.5
