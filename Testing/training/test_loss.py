"""The objective: small when right, finite when a region is empty."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.training.loss import RegionLoss, SupervisedNetwork  # noqa: E402
from torch.nn import functional  # noqa: E402


def regions() -> torch.Tensor:
    truth = torch.zeros(1, 3, 32, 32, 32)
    truth[:, 2, 8:24, 8:24, 8:24] = 1
    truth[:, 1, 8:16, 8:24, 8:24] = 1
    return truth


def outputs(truth: torch.Tensor, certainty: float) -> tuple[torch.Tensor, ...]:
    def logits(region: torch.Tensor) -> torch.Tensor:
        return (2 * region - 1) * certainty

    return logits(truth), *(logits(functional.avg_pool3d(truth, size)) for size in (8, 4))


def test_right_answers_cost_less_than_wrong_ones() -> None:
    loss, truth = RegionLoss(1.0, (0.2, 0.4)), regions()
    right, wrong = loss(outputs(truth, 9.0), truth), loss(outputs(truth, -9.0), truth)
    assert right < 0.05
    assert wrong > 5


def test_empty_regions_have_a_finite_gradient_that_lowers_the_logits() -> None:
    loss, truth = RegionLoss(1.0, (0.2, 0.4)), torch.zeros(1, 3, 16, 16, 16)
    logits = torch.zeros(1, 3, 16, 16, 16, requires_grad=True)
    coarse = torch.full((1, 3, 2, 2, 2), -9.0), torch.full((1, 3, 4, 4, 4), -9.0)
    loss((logits, *coarse), truth).backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad > 0).all()


def test_what_is_found_where_there_is_nothing_costs_more_the_more_it_is() -> None:
    """From a millilitre to thirty, too, where the loss of Dice has levelled off."""
    loss, truth = RegionLoss(0.0, (0.0, 0.0)), torch.zeros(1, 3, 32, 32, 32)
    coarse = tuple(torch.full((1, 3, size, size, size), -20.0) for size in (4, 8))

    def cost(slices: int) -> float:
        logits = torch.full_like(truth, -20.0)
        logits[:, :, :slices] = 20.0
        return float(loss((logits, *coarse), truth))

    assert cost(0) < 0.01
    assert cost(1) == pytest.approx(math.log(1 + 1024 / 100), rel=1e-3)
    assert cost(30) - cost(3) > 2


def test_a_region_missed_in_one_channel_costs_only_that_channel() -> None:
    loss, truth = RegionLoss(1.0, (0.0, 0.0)), regions()
    answer = outputs(truth, 9.0)
    answer[0][:, 1] = -9.0
    one = float(loss(answer, truth))
    answer[0][:, 2] = -9.0
    assert 0.3 < one < float(loss(answer, truth))


def test_each_case_of_a_batch_weighs_the_same_whatever_its_tumour_is_like() -> None:
    loss, truth = RegionLoss(1.0, (0.2, 0.4)), regions()
    empty = torch.zeros_like(truth)
    wrong, found = outputs(truth, -9.0), outputs(truth, 9.0)
    one, other = loss(found, truth), loss(wrong, empty)
    both = tuple(torch.cat(pair) for pair in zip(found, wrong, strict=True))
    together = loss(both, torch.cat([truth, empty]))
    torch.testing.assert_close(together, (one + other) / 2)


def test_a_teacher_shares_the_targets_of_the_cross_entropy() -> None:
    torch.manual_seed(0)
    truth, taught = regions(), torch.rand(1, 3, 32, 32, 32)
    truth[:, 0, 8:12, 8:12, 8:12] = 1
    answer = tuple(torch.randn(1, 3, size, size, size) for size in (32, 4, 8))
    share, weight = 0.3, 2.0
    with_teacher = RegionLoss(weight, (0.2, 0.4), share)(answer, truth, taught)
    alone = RegionLoss(weight, (0.2, 0.4))(answer, truth)
    entropy = functional.binary_cross_entropy_with_logits
    expected = share * weight * (entropy(answer[0], taught) - entropy(answer[0], truth))
    torch.testing.assert_close(with_teacher - alone, expected)


def test_agreeing_with_the_teacher_costs_least_where_it_alone_decides() -> None:
    taught = torch.rand(1, 3, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    coarse = torch.zeros(1, 3, 2, 2, 2), torch.zeros(1, 3, 4, 4, 4)
    loss = RegionLoss(1e4, (0.0, 0.0), teacher_share=1.0)
    logits = torch.logit(taught, 1e-6).requires_grad_()
    truth = torch.zeros_like(taught)
    truth[..., 0] = 1
    loss((logits, *coarse), truth, taught).backward()
    at_teacher = logits.grad.abs().max()
    logits = (torch.logit(taught, 1e-6) + 1).requires_grad_()
    loss((logits, *coarse), truth, taught).backward()
    assert at_teacher < 0.1 * logits.grad.abs().max()


def test_what_a_teacher_finds_of_a_region_that_is_empty_is_not_taught() -> None:
    truth = regions()
    assert not truth[:, 0].any()  # no enhancing tumour
    taught = torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))
    silent = taught.clone()
    silent[:, 0] = 0
    answer = tuple(torch.ones(1, 3, size, size, size) for size in (32, 4, 8))
    loss = RegionLoss(1.0, (0.2, 0.4), teacher_share=0.5)
    assert loss(answer, truth, taught) == loss(answer, truth, silent)
    assert loss(answer, truth, taught) != loss(answer, truth)


def test_auxiliary_heads_stay_out_of_the_shipped_network() -> None:
    config = HybridConfig(
        widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
    )
    network = HybridNetwork(config, 4, 3)
    supervised = SupervisedNetwork(network)
    x, availability = torch.randn(1, 4, 32, 32, 32), torch.ones(1, 4)
    logits, at8, at4 = supervised(x, availability)
    assert at8.shape == (1, 3, 4, 4, 4)
    assert at4.shape == (1, 3, 8, 8, 8)
    torch.testing.assert_close(logits, network(x, availability))
    assert not [name for name in network.state_dict() if "auxiliary" in name]
