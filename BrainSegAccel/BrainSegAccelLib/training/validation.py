"""Validation during training: whole brains at 1 mm that training never sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from ..metrics.dice import dice
from ..models.tasks import TUMOUR
from ..study.modality import Modality
from ..synthesis.cases import SyntheticCase
from ..synthesis.lesions import CaseKind
from .config import WHOLE_BRAIN, TrainingConfig
from .normalisation import normalise, remove_shading
from .precision import mixed_precision
from .samples import box_of, cut
from .sources import SyntheticSource, TrainingCase

_FIRST_SEED = 1


@dataclass(frozen=True)
class ValidationSet:
    """Cases of one sort.

    :param name: stands before the names of its scores; empty for none.
    :param read: makes or reads the case of an index below ``count``.
    """

    name: str
    count: int
    read: Callable[[int], TrainingCase]


class Validation:
    """Holds validation cases (made when first needed) and scores networks on them.

    A case is seen as in inference: all its modalities, in one pass if it fits the window of the
    shipped engines, else in overlapping windows.

    :param others: cases to score apart from the synthetic ones, which are always there.
    """

    def __init__(
        self, config: TrainingConfig, device: torch.device, others: Sequence[ValidationSet] = ()
    ) -> None:
        sets = (_synthetic_set(config, device), *others)
        self.sets = tuple(one for one in sets if one.count)
        self.device = device
        self._cases: dict[str, list[_Case]] = {}
        self._inferer = SlidingWindowInferer(WHOLE_BRAIN, overlap=0.25, mode="gaussian")

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Mean Dice of each region over the cases that have the region, and false-positive ml.

        ``false_ml`` is the mean volume predicted in the last channel in tumour-free cases.
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

    def _score_case(self, network: nn.Module, case: _Case) -> dict[str, float]:
        x, availability = case.x[None].float().to(self.device), case.availability.to(self.device)
        with mixed_precision(self.device):
            logits = self._inferer(x, network, availability[None])
        predicted, truth = (logits[0] > 0).cpu().numpy(), case.regions.numpy()
        if not truth.any():
            return {"false_ml": float(predicted[-1].sum()) / 1000}
        masks = zip(TUMOUR.outputs.channels, predicted, truth, strict=True)
        return {region: dice(found, shown) for region, found, shown in masks if shown.any()}

    def _cases_of(self, one: ValidationSet) -> list[_Case]:
        if one.name not in self._cases:
            self._cases[one.name] = [_prepared(one.read(index)) for index in range(one.count)]
        return self._cases[one.name]


def _synthetic_set(config: TrainingConfig, device: torch.device) -> ValidationSet:
    """Synthetic cases, of every :class:`CaseKind` in turn."""
    source = SyntheticSource(1.0, device)
    kinds = list(CaseKind)

    def make(index: int) -> SyntheticCase:
        return source.generator.generate(_FIRST_SEED + index, kinds[index % len(kinds)])

    return ValidationSet("", config.validation_cases, make)


@dataclass(frozen=True, eq=False)
class _Case:
    """``x`` [4, D, H, W] float16, ``availability`` [4], ``regions`` [3, D, H, W] bool; CPU."""

    x: Tensor
    availability: Tensor
    regions: Tensor


def _prepared(case: TrainingCase) -> _Case:
    """Normalise a case and cut it to its mask's bounding box."""
    box = box_of(case.mask)
    start = [side.start for side in box]
    depth, height, width = (side.stop - side.start for side in box)
    shape = (depth, height, width)
    seen = [case.mask & (image > 0) for image in case.images]
    images = torch.stack(
        [
            normalise(remove_shading(image, shown, case.voxel, modality), shown)
            for modality, image, shown in zip(Modality, case.images, seen, strict=True)
        ]
    )
    return _Case(
        cut(images, start, shape).half().cpu(),
        case.images.flatten(1).any(dim=1).float().cpu(),
        cut(case.regions > 0.5, start, shape).cpu(),
    )
