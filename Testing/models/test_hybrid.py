"""The network as one static graph for every subset of modalities."""

from __future__ import annotations

from itertools import product

import pytest
from BrainSegAccelLib.models.config import HybridConfig
from pydantic import ValidationError

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.hybrid import HybridNetwork, depth_to_space  # noqa: E402
from BrainSegAccelLib.models.networks import DeployedNetwork  # noqa: E402

TINY = HybridConfig(
    widths=(8, 8, 16, 16),
    encoder_blocks=(1, 1, 1, 1),
    ssd_blocks=(1, 1),
    head_width=8,
    state_width=4,
    chunk_length=8,
)
SHAPE = (32, 48, 16)
SUBSETS = [subset for subset in product((0.0, 1.0), repeat=4) if any(subset)]

# DESIGN's vocabulary, as ATen names it; shape bookkeeping included.
ALLOWED = {
    "add",
    "cat",
    "clamp",
    "conv3d",
    "exp",
    "flip",
    "instance_norm",
    "layer_norm",
    "linear",
    "matmul",
    "mul",
    "neg",
    "pad",
    "permute",
    "relu",
    "reshape",
    "rsub",
    "select",
    "sigmoid",
    "silu",
    "slice",
    "softplus",
    "sub",
    "unsqueeze",
}


def make_network() -> HybridNetwork:
    """A small network in which no branch is silent: zero-initialised layers get weights."""
    torch.manual_seed(0)
    network = HybridNetwork(TINY, 4, 3).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.1)
    return network


def make_input(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 4, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_logits_have_the_inputs_grid_and_one_channel_a_region() -> None:
    with torch.no_grad():
        logits = make_network()(make_input(2), torch.ones(2, 4))
    assert logits.shape == (2, 3, *SHAPE)


@torch.no_grad()
def test_all_fifteen_subsets_run_and_differ() -> None:
    network, x = make_network(), make_input()
    outputs = [network(x, torch.tensor([subset])) for subset in SUBSETS]
    assert all(torch.isfinite(output).all() for output in outputs)
    for index, output in enumerate(outputs):
        for other in outputs[:index]:
            assert not torch.allclose(output, other)


@torch.no_grad()
@pytest.mark.parametrize("missing", range(4))
def test_garbage_in_a_missing_channel_has_no_effect(missing: int) -> None:
    network, x = make_network(), make_input()
    availability = torch.ones(1, 4)
    availability[0, missing] = 0
    clean, garbage = x.clone(), x.clone()
    clean[:, missing] = 0
    garbage[:, missing] = 1e4
    torch.testing.assert_close(
        network(garbage, availability), network(clean, availability), rtol=0, atol=0
    )


@torch.no_grad()
def test_availability_itself_matters() -> None:
    network, x = make_network(), make_input()
    x[:, 1] = 0
    with_zero = network(x, torch.ones(1, 4))
    without = network(x, torch.tensor([[1.0, 0.0, 1.0, 1.0]]))
    assert not torch.allclose(with_zero, without)


def test_every_parameter_learns() -> None:
    network = make_network()
    network(make_input(), torch.ones(1, 4)).square().mean().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_brain_mask_channel_is_one_inside_and_zero_outside(dtype: torch.dtype) -> None:
    x = torch.zeros(1, 4, 16, 16, 16)
    x[:, :, 4:12, 4:12, 4:12] = 60.0 * make_input()[:, :, :8, :8, :8].sign()
    gated = HybridNetwork.gated_input(x.to(dtype), torch.ones(1, 4, dtype=dtype))
    expected = torch.zeros(16, 16, 16, dtype=dtype)
    expected[4:12, 4:12, 4:12] = 1
    torch.testing.assert_close(gated[0, 4], expected)


@torch.no_grad()
def test_depth_to_space_after_a_pointwise_layer_is_a_transposed_convolution() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 4, 2)
    transposed = torch.nn.ConvTranspose3d(5, 3, 2, stride=2, bias=False)
    pointwise = torch.nn.Conv3d(5, 24, 1, bias=False)
    weight = transposed.weight.permute(2, 3, 4, 1, 0).reshape(24, 5, 1, 1, 1)
    pointwise.weight.copy_(weight)
    torch.testing.assert_close(depth_to_space(pointwise(x)), transposed(x))


@torch.no_grad()
def test_exported_graph_is_whole_and_speaks_the_vocabulary() -> None:
    network = DeployedNetwork(make_network()).eval()
    inputs = (make_input(), torch.ones(1, 4))
    program = torch.export.export(network, inputs)
    names = {
        str(node.target).removeprefix("aten.").split(".")[0]
        for node in program.graph.nodes
        if node.op == "call_function"
    }
    assert names <= ALLOWED, names - ALLOWED
    print(sorted(ALLOWED - names))
    subset = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    torch.testing.assert_close(program.module()(inputs[0], subset), network(inputs[0], subset))


def test_default_size_and_cost_stay_within_the_budget() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    with FakeTensorMode():
        network = HybridNetwork(HybridConfig(), 4, 3)
        x, availability = torch.empty(1, 4, 160, 192, 160), torch.empty(1, 4)
        with FlopCounterMode(display=False) as counter:
            network(x, availability)
    megabytes = sum(4 * tensor.numel() for tensor in network.state_dict().values()) / 1e6
    assert megabytes <= 20
    assert counter.get_total_flops() / 1e9 <= 210


def test_config_survives_json() -> None:
    assert HybridConfig.model_validate_json(TINY.model_dump_json()) == TINY


def test_config_refuses_heads_that_do_not_fit() -> None:
    with pytest.raises(ValidationError, match="do not split into heads of 7"):
        HybridConfig(head_width=7)
