"""Validation: Dice where there is a tumour, false positives where there is none."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.synthesis.lesions import CaseKind  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.prepared_cases import OwnCase  # noqa: E402
from BrainSegAccelLib.training.train import validation_of  # noqa: E402
from BrainSegAccelLib.training.tumour import validation_case  # noqa: E402
from BrainSegAccelLib.training.validation import ValidationSet  # noqa: E402
from torch import Tensor, nn  # noqa: E402

CPU = torch.device("cpu")


def config(**settings: int) -> TrainingConfig:
    return TrainingConfig(name="test", stages=(Stage(steps=1),), **settings)


def case(whole: int, core: int) -> OwnCase:
    """A brain of 20 x 24 x 16 voxels in a larger grid, no ET, TC and WT of so many z layers."""
    mask = torch.zeros(30, 40, 30, dtype=torch.bool)
    mask[5:25, 8:32, 7:23] = True
    regions = torch.zeros(3, *mask.shape)
    regions[2, 5 : 5 + whole] = 1
    regions[1, 5 : 5 + core] = 1
    generator = torch.Generator().manual_seed(whole)
    images = torch.rand((4, *mask.shape), generator=generator) * mask + 0.1 * mask
    return OwnCase(images, regions * mask, mask, 1.0)


class LowerLayers(nn.Module):
    """Finds WT and TC in the lowest z layers of the brain, ET nowhere."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, availability: Tensor) -> Tensor:
        brain = (x != 0).any(dim=1)
        lowest = int(brain[0].flatten(1).any(dim=1).nonzero()[0])
        logits = torch.full((1, 3, *x.shape[2:]), -1.0)
        logits[:, 1:, lowest : lowest + self.layers] = 1
        return torch.where(brain[:, None], logits, -1.0)


def score(layers: int, *cases: OwnCase) -> dict[str, float]:
    own = ValidationSet("own/", len(cases), lambda index: validation_case(cases[index]))
    return validation_of(config(validation_cases=0), CPU, [own]).score(LowerLayers(layers))


def test_dice_is_the_mean_over_cases_that_have_the_region() -> None:
    scores = score(10, case(10, 5), case(5, 0))
    assert scores == {
        "own/WT": pytest.approx((1 + 2 * 5 / 15) / 2, abs=0.01),
        "own/TC": pytest.approx(2 * 5 / 15, abs=0.01),
    }


def test_what_is_found_in_a_tumour_free_case_is_told_in_ml() -> None:
    assert score(10, case(0, 0)) == {"own/false_ml": pytest.approx(10 * 24 * 16 / 1000, abs=0.05)}
    assert score(0, case(0, 0)) == {"own/false_ml": 0}


def test_a_set_without_cases_is_left_out() -> None:
    assert validation_of(config(validation_cases=0), CPU).sets == ()


def test_every_kind_of_case_is_validated_by_default() -> None:
    (synthetic,) = validation_of(config(), CPU).sets
    assert synthetic.count >= len(CaseKind)
