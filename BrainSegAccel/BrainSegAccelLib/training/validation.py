"""Synthetic validation: whole brains at 1 mm that training never sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .cases import CaseGenerator
from .config import TrainingConfig
from .geometry import Shape
from .lesions import CaseKind
from .normalisation import normalise
from .samples import centred_window, cut

_FIRST_SEED = 1
_SHAPE: Shape = (160, 192, 160)


class Validation:
    """Holds the validation cases (made when first needed) and scores networks on them."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self.count = config.validation_cases
        self.device = device
        self._cases: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Mean Dice of ET, TC, WT over the cases that have the region, and false-positive ml.

        ``false_ml`` is the mean volume predicted as whole tumour in tumour-free cases.
        """
        self._prepare()
        network.eval()
        scores: dict[str, list[float]] = {"ET": [], "TC": [], "WT": [], "false_ml": []}
        availability = torch.ones(1, 4, device=self.device)
        for x, regions in self._cases:
            with torch.autocast(self.device.type, torch.bfloat16):
                logits = network(x[None].float().to(self.device), availability)[0]
            predicted = (logits > 0).cpu()
            for name, guess, truth in zip(("ET", "TC", "WT"), predicted, regions, strict=True):
                if truth.any():
                    scores[name].append(dice(guess, truth))
            if not regions.any():
                scores["false_ml"].append(float(predicted[2].sum()) / 1000)
        network.train()
        return {name: sum(values) / len(values) for name, values in scores.items() if values}

    def _prepare(self) -> None:
        if self._cases:
            return
        generator = CaseGenerator(1.0)
        kinds = list(CaseKind)
        for index in range(self.count):
            case = generator.generate(_FIRST_SEED + index, kinds[index % len(kinds)])
            start = centred_window(case.mask, _SHAPE)
            images = torch.stack([normalise(image, case.mask) for image in case.images])
            regions = cut((case.regions > 0.5).to(torch.uint8), start, _SHAPE)
            self._cases.append((cut(images, start, _SHAPE).half(), regions.bool()))


def dice(predicted: Tensor, truth: Tensor) -> float:
    """Dice coefficient of two boolean tensors; 1 where both are empty."""
    total = int(predicted.sum()) + int(truth.sum())
    return 2 * int((predicted & truth).sum()) / total if total else 1.0
