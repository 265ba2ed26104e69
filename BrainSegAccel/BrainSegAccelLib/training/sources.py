"""Where training cases come from: the synthetic generator, a user's folder, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ..synthesis.cases import CaseGenerator, SyntheticCase
from ..synthesis.lesions import KIND_WEIGHTS, CaseKind
from ..synthesis.rng import Rng
from .config import TrainingConfig
from .samples import CaseSource, SourceOf

CPU = torch.device("cpu")


class TrainingCase(Protocol):
    """What samples are cut out of; all tensors on one device, axes z, y, x in LPS order."""

    @property
    def images(self) -> Tensor:
        """[4, D, H, W] float32: t1, t1c, t2, flair, in any unit; positive where something is
        shown, 0 outside the mask, beyond a field of view, and all over if the modality is missing.
        """

    @property
    def regions(self) -> Tensor:
        """[3, D, H, W] float32 in 0 to 1: soft ET, TC, WT; the regions are where it is > 0.5."""

    @property
    def mask(self) -> Tensor:
        """[D, H, W] bool: the voxels that are shown and whose intensities are normalised."""

    @property
    def voxel(self) -> float:
        """Edge in mm: 1, 2 or 4."""


@dataclass
class SyntheticSource:
    """Cases of the generator; the number is the seed.

    :param voxel: voxel edge in mm.
    :param kinds: how often each kind is made.
    """

    voxel: float
    device: torch.device
    kinds: Mapping[CaseKind, float] = field(default_factory=lambda: KIND_WEIGHTS)

    def case(self, number: int) -> SyntheticCase:
        """Make a case."""
        return self.generator.generate(number)

    @cached_property
    def generator(self) -> CaseGenerator:
        """What makes the cases; itself made when first needed, in the process that needs it."""
        return CaseGenerator(self.voxel, device=self.device, kinds=self.kinds)


@dataclass
class MixedSource:
    """Cases of two sources, each case of one of them.

    :param share: how many of the cases are of ``first``, 0 to 1.
    """

    first: CaseSource
    second: CaseSource
    share: float

    def case(self, number: int) -> TrainingCase:
        """Let the number decide which source to ask for it."""
        # Not the seed that the sources draw from: what they draw must not depend on the choice.
        first = Rng(-1 - number, CPU).event(self.share)
        return (self.first if first else self.second).case(number)


def synthetic_sources(config: TrainingConfig, device: torch.device) -> SourceOf:
    """Return the sources of a run on synthetic cases only, which are made on ``device``."""
    kinds = config.kind_weights or KIND_WEIGHTS
    return lambda stage: SyntheticSource(float(stage.case_voxel), device, kinds)
