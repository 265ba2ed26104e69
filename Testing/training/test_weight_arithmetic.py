"""Weights made of weights: the mean of several, and other odds of one region."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.models.tasks import TUMOUR  # noqa: E402
from BrainSegAccelLib.training.pretrained import PretrainedWeights  # noqa: E402
from BrainSegAccelLib.training.weight_arithmetic import average, shift_odds  # noqa: E402

NETWORK = HybridConfig(
    widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
)


def weights(seed: int, network: HybridConfig = NETWORK) -> PretrainedWeights:
    torch.manual_seed(seed)
    state = HybridNetwork(network, *TUMOUR.channels).state_dict()
    return PretrainedWeights(f"{seed}.safetensors", "0" * 64, "tumour", network, state)


def test_a_mean_weighs_every_tensor() -> None:
    one, two, three = (weights(seed) for seed in range(3))
    mean = average([(one, 0.25), (two, 0.5), (three, 0.25)])
    assert mean.keys() == one.tensors.keys()
    for name, tensor in mean.items():
        parts = (part.tensors[name] for part in (one, two, two, three))
        torch.testing.assert_close(tensor, torch.stack(list(parts)).mean(0))
        assert tensor.dtype == torch.float32


def test_a_mean_of_the_same_is_the_same() -> None:
    one = weights(0)
    mean = average([(one, 0.3), (one, 0.7)])
    assert all(torch.equal(mean[name], one.tensors[name]) for name in mean)


def test_another_network_has_no_mean() -> None:
    other = weights(1, NETWORK.model_copy(update={"widths": (8, 8, 8, 16)}))
    with pytest.raises(InputError, match=r"1\.safetensors: weights of another network"):
        average([(weights(0), 0.5), (other, 0.5)])


@pytest.mark.parametrize("region", TUMOUR.outputs.channels)
def test_the_odds_of_one_region_are_multiplied_everywhere_and_no_others(region: str) -> None:
    before = weights(0)
    after = PretrainedWeights(
        "shifted", "0" * 64, "tumour", NETWORK, shift_odds(before, region, 3.0)
    )
    torch.manual_seed(5)
    x, availability = torch.randn(1, 4, 32, 32, 32), torch.ones(1, 4)
    with torch.no_grad():
        old, new = (w.build(torch.device("cpu"))(x, availability)[0] for w in (before, after))
    for channel, name in enumerate(TUMOUR.outputs.channels):
        expected = old[channel] + (math.log(3.0) if name == region else 0.0)
        torch.testing.assert_close(new[channel], expected, rtol=0, atol=1e-4)


def test_a_region_that_the_network_does_not_find_is_refused() -> None:
    with pytest.raises(InputError, match="does not find CYST; give ET, TC, WT"):
        shift_odds(weights(0), "CYST", 2.0)
