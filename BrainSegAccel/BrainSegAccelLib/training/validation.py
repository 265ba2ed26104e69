"""Validation during training: whole cases that training never sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from ..metrics.dice import dice
from ..models.tasks import Task
from .precision import mixed_precision

FIRST_SEED = 1
"""Of the synthetic cases; training draws none below ten million."""


@dataclass(frozen=True, eq=False)
class ValidationCase:
    """A case as a run would give it to the network; on the CPU.

    :param x: float16 [C, D, H, W], normalised.
    :param availability: float32 [C].
    :param regions: bool [R, D, H, W].
    :param voxel: edge in mm.
    """

    x: Tensor
    availability: Tensor
    regions: Tensor
    voxel: float


@dataclass(frozen=True)
class ValidationSet:
    """Cases of one sort.

    :param name: stands before the names of its scores; empty for none.
    :param read: makes or reads the case of an index below ``count``.
    """

    name: str
    count: int
    read: Callable[[int], ValidationCase]


class Validation:
    """Holds validation cases (made when first needed) and scores networks on them.

    A case is seen as in inference: all its modalities, in one pass if it fits the window, else in
    overlapping windows.

    :param sets: those without cases are left out.
    :param window: static (D, H, W) of the network.
    """

    def __init__(
        self,
        task: Task,
        sets: Sequence[ValidationSet],
        window: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self.task = task
        self.sets = tuple(one for one in sets if one.count)
        self.device = device
        self._cases: dict[str, list[ValidationCase]] = {}
        self._inferer = SlidingWindowInferer(window, overlap=0.25, mode="gaussian")

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Mean Dice of each region over the cases that have it, and false-positive ml.

        ``false_ml`` is the mean volume found in cases that have no region.

        :param network: inputs as its task says, to logits [B, R, D, H, W].
        """
        network.eval()
        means: dict[str, float] = {}
        for one in self.sets:
            scores: dict[str, list[float]] = {}
            for case in self._cases_of(one):
                for name, value in self._score_case(network, case).items():
                    scores.setdefault(f"{one.name}{name}", []).append(value)
            means |= {name: sum(values) / len(values) for name, values in scores.items()}
        network.train()
        return means

    def _score_case(self, network: nn.Module, case: ValidationCase) -> dict[str, float]:
        x, availability = case.x[None].float().to(self.device), case.availability.to(self.device)
        more = (availability[None],) if self.task.inputs.availability else ()
        with mixed_precision(self.device):
            logits = self._inferer(x, network, *more)
        predicted, truth = (logits[0] > 0).cpu().numpy(), case.regions.numpy()
        if not truth.any():
            return {"false_ml": float(predicted.any(axis=0).sum()) * case.voxel**3 / 1000}
        masks = zip(self.task.outputs.channels, predicted, truth, strict=True)
        return {region: dice(found, shown) for region, found, shown in masks if shown.any()}

    def _cases_of(self, one: ValidationSet) -> list[ValidationCase]:
        if one.name not in self._cases:
            self._cases[one.name] = [one.read(index) for index in range(one.count)]
        return self._cases[one.name]
