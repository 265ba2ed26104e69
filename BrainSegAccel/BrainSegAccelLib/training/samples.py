"""The stream of training samples, the same for every task."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..synthesis.rng import Rng
from .config import Stage, TrainingConfig
from .interruption import leave_interruptions_to_parent

_SEEDS_PER_STAGE = 10_000_000


class Sample(NamedTuple):
    """``x`` [C, D, H, W] float16, ``availability`` [C] float32, ``regions`` [R, D, H, W] uint8."""

    x: Tensor
    availability: Tensor
    regions: Tensor


class Case(Protocol):
    """What samples are cut out of."""

    @property
    def images(self) -> Tensor:
        """[N, D, H, W] float32, on the device on which samples are drawn."""


class CaseSource(Protocol):
    """Cases by number, from 0 to any number; the same number is always the same case."""

    def case(self, number: int) -> Any:
        """Make or read a `Case` of the kind that the task draws samples of."""


SourceOf = Callable[[Stage], CaseSource]
"""The source of a stage of the curriculum."""

DrawSample = Callable[[Rng, Any, Stage, TrainingConfig, int], Sample]
"""Draws a sample of a case; the last argument says which of ``samples_per_case`` it is, from 0."""


class SampleStream(Dataset[Sample]):
    """Samples of one stage by index; sample n is a pure function of configuration, source and n.

    Each case serves ``samples_per_case`` samples, spread out so that neighbours show different
    cases: sample n of a worker shows case n // k - n % k. A worker therefore keeps k cases, and
    cases of different workers are disjoint.
    """

    def __init__(
        self, config: TrainingConfig, stage_index: int, source: CaseSource, draw: DrawSample
    ) -> None:
        self.config, self.draw = config, draw
        self.stage: Stage = config.stages[stage_index]
        self.source = source
        self.first_seed = (config.seed * 100 + stage_index + 1) * _SEEDS_PER_STAGE
        self._cases: dict[int, Case] = {}

    def __len__(self) -> int:
        return self.stage.steps * self.stage.batch_size

    def __getitem__(self, index: int) -> Sample:
        number, turn = self.place(index)
        case = self._case(number)
        rng = Rng(self.first_seed + _SEEDS_PER_STAGE // 2 + index, case.images.device)
        sample = self.draw(rng, case, self.stage, self.config, turn)
        # Between processes samples travel through host memory.
        return Sample(*(part.cpu() for part in sample)) if self.config.workers else sample

    def place(self, index: int) -> tuple[int, int]:
        """The source's number of the case that sample ``index`` shows, and its turn there."""
        stage, workers = self.stage, max(1, self.config.workers)
        batch, within = divmod(index, stage.batch_size)
        round_, worker = divmod(batch, workers)
        tick, turn = divmod(round_ * stage.batch_size + within, stage.samples_per_case)
        # The first samples look back before case 0: shift so that seeds stay within the stage.
        number = (tick - turn + stage.samples_per_case) * workers + worker
        return self.first_seed + number, turn

    def _case(self, number: int) -> Case:
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
