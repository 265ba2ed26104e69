"""What training has to know of the brain network: synthetic heads, made stranger than any scan.

The network is to find brains by their shape and place, whatever sequence shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..models.tasks import BRAIN
from ..study.modality import Modality
from ..synthesis.geometry import Shape
from ..synthesis.heads import HeadGenerator, SyntheticHead
from ..synthesis.noise import smooth_noise
from ..synthesis.rng import Rng
from .config import Stage, TrainingConfig
from .normalisation import scale_to_unit
from .samples import Sample, SourceOf
from .task import TrainingTask
from .validation import FIRST_SEED, ValidationCase, ValidationSet
from .windows import box_of, cut

WINDOW = (112, 112, 96)
"""Voxels (z, y, x) of 2.5 mm."""
_ABOVE_BRAIN = 12
"""Voxels between the top of the brain and the top of the window."""


@dataclass
class HeadSource:
    """Heads of the generator; the number is the seed.

    :param voxel: voxel edge in mm.
    :param sequences: how many of the four are acquired of each head.
    """

    voxel: float
    sequences: int
    device: torch.device

    def case(self, number: int) -> SyntheticHead:
        """Make a head."""
        first = Rng(-1 - number, self.device).integer(0, len(Modality) - 1)
        channels = ((first + turn) % len(Modality) for turn in range(self.sequences))
        return self.generator.generate(number, tuple(channels))

    @cached_property
    def generator(self) -> HeadGenerator:
        """What makes the heads; itself made when first needed, in the process that needs it."""
        return HeadGenerator(self.voxel, self.device)


def head_sources(_: TrainingConfig, device: torch.device) -> SourceOf:
    """Return where the heads of a stage come from."""

    def source(stage: Stage) -> HeadSource:
        sequences = min(stage.samples_per_case, len(Modality))
        return HeadSource(stage.case_voxel, sequences, device)

    return source


def synthetic_heads(config: TrainingConfig, device: torch.device) -> ValidationSet:
    """Return whole heads at 2.5 mm, one sequence of each, the four in turn."""
    source = HeadSource(BRAIN.inputs.spacing_mm[0], 1, device)

    def make(index: int) -> ValidationCase:
        head = source.generator.generate(FIRST_SEED + index, (index % len(Modality),))
        image, mask = _window(torch.stack([head.images[0], head.mask.float()]), head.mask, WINDOW)
        return ValidationCase(
            scale_to_unit(image)[None].half().cpu(),
            torch.ones(1),
            mask[None].bool().cpu(),
            head.voxel,
        )

    return ValidationSet("", config.validation_cases, make)


@torch.no_grad()
def draw_head(
    rng: Rng, head: SyntheticHead, stage: Stage, _config: TrainingConfig, turn: int
) -> Sample:
    """Disguise one sequence of a head and cut the window around its brain.

    :param turn: which of its sequences; of more turns than there are, the first again.
    """
    image = _disguised(rng, head.images[turn % len(head.images)], head)
    pair = torch.stack([image, head.mask.float()])
    jitter = [rng.integer(-6, 6) for _ in range(3)]
    image, mask = _window(pair, head.mask, stage.shape, jitter)
    x = scale_to_unit(image)[None].half()
    return Sample(x, torch.ones(1, device=x.device), mask[None].to(torch.uint8))


def _disguised(rng: Rng, image: Tensor, head: SyntheticHead) -> Tensor:
    """Return an image [D, H, W] of another contrast, shading, noise and background."""
    image = image / image.max()
    if rng.event(0.5):
        image = torch.where(head.mask, image, image * _gains(rng, image, head.voxel))
    if rng.event(0.3):
        image = _another_contrast(rng, image)
    if rng.event(0.6):
        shading = smooth_noise(rng, image.shape, head.voxel, rng.uniform(70, 200))[0]
        image = image * torch.exp(shading * rng.uniform(0, 0.45))
    if rng.event(0.4):
        image = (image + rng.white(image.shape) * rng.uniform(0, 0.06)).abs()
    if rng.event(0.07):
        image = image * head.mask
    elif rng.event(0.25):
        image = image * ~head.air
    return image


def _gains(rng: Rng, image: Tensor, voxel: float) -> Tensor:
    """A gain of its own for each of many patches: faces differ more than can be drawn."""
    patches = smooth_noise(rng, image.shape, voxel, rng.uniform(8, 30))[0]
    levels = torch.tensor([rng.log_uniform(0.25, 3) for _ in range(8)], device=image.device)
    return levels[(patches * 2 + 4).clamp(0, 7).long()]


def _another_contrast(rng: Rng, image: Tensor) -> Tensor:
    """Pass intensities through a random broken line; air stays dark."""
    knots = 6
    heights = torch.tensor([0.0] + [rng.uniform() for _ in range(knots)], device=image.device)
    position = (image * knots).clamp(0, knots - 1e-3)
    left = position.long()
    return torch.lerp(heights[left], heights[left + 1], position - left)


def _window(maps: Tensor, brain: Tensor, shape: Shape, jitter: Sequence[int] = (0, 0, 0)) -> Tensor:
    """Return the window [C, *shape] of maps with a brain in it, its top near the top."""
    box = box_of(brain)
    start = [
        (side.start + side.stop - 1 - size) // 2 for side, size in zip(box, shape, strict=True)
    ]
    start[0] = box[0].stop - 1 + _ABOVE_BRAIN - shape[0]
    return cut(maps, [first + moved for first, moved in zip(start, jitter, strict=True)], shape)


BRAIN_TRAINING = TrainingTask(
    task=BRAIN,
    window=WINDOW,
    draw=draw_head,
    sources=head_sources,
    validation=synthetic_heads,
)
