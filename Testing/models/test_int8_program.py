"""The program that Torch-TensorRT compiles in INT8, as far as that goes without TensorRT."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.errors import UnavailableError
from BrainSegAccelLib.inference.calibration import sample_case
from BrainSegAccelLib.models.package import ModelPackage, load_package, shipped_models

torch = pytest.importorskip("torch")
pytest.importorskip("modelopt", reason="ModelOpt comes with the tensorrt extra")

from BrainSegAccelLib.models.int8_convolution import quantise  # noqa: E402
from BrainSegAccelLib.models.networks import load_network  # noqa: E402
from BrainSegAccelLib.models.program import (  # noqa: E402
    QUANTISER,
    arithmetic_formats,
    exported_program,
    operator,
)
from BrainSegAccelLib.models.quantised_layers import quantised_layers  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402


@pytest.fixture(scope="module")
def program(quantised_package: ModelPackage):
    return exported_program(
        quantised_package, quantised_package.card.inference.window, Precision.INT8, Device.CPU
    )


def _calls(program, name: str) -> list[torch.fx.Node]:
    nodes = program.graph.nodes
    return [node for node in nodes if node.op == "call_function" and operator(node) == name]


def test_quantisers_stand_before_the_convolutions_of_the_export_and_nowhere_else(
    program, quantised_package: ModelPackage
) -> None:
    quantisers = _calls(program, QUANTISER)
    (stem, *others) = _calls(program, "conv3d")
    assert not set(stem.all_input_nodes) & set(quantisers)
    fed = [node for convolution in others for node in convolution.args[:2]]
    assert fed == quantisers
    assert all(len(node.users) == 1 for node in quantisers)
    graph = onnx.load_from_string(quantised_package.quantised().whole()).graph
    named = [n.input[1] for n in graph.node if n.op_type == "Conv" and "output" in n.input[1]]
    parameters = program.graph_signature.inputs_to_parameters
    weights = [parameters[node.args[0].name] for node in quantisers[1::2]]
    assert len(weights) == len(named)
    assert all(weight in name for weight, name in zip(weights, named, strict=True))


def test_quantisers_take_the_format_of_the_rest_and_keep_it(program) -> None:
    for node in _calls(program, QUANTISER):
        values, _, bits, exponent_bits, unsigned, _ = node.args
        assert (bits, exponent_bits, unsigned) == (8, 0, False)
        assert values.meta["val"].dtype == node.meta["val"].dtype == torch.float16


def test_int8_is_counted_beside_the_rest(program, quantised_package: ModelPackage) -> None:
    record = quantised_package.card.quantised
    assert record is not None
    formats = arithmetic_formats(program)
    assert formats["int8"] == record.layers
    assert formats.keys() == {"int8", "fp16", "fp32"}
    assert {n.meta["val"].dtype for n in _calls(program, "exp")} == {torch.float32}


class _Simulated(TorchDispatchMode):
    """Computes quantisers in floating point: without a GPU, ModelOpt does not.

    :param signed: steps on both sides of zero for every input, as TensorRT has them; else, as the
        export, only for those that are negative somewhere.
    """

    def __init__(self, *, signed: bool) -> None:
        super().__init__()
        self.signed = signed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is not torch.ops.tensorrt.quantize_op.default:
            return func(*args, **(kwargs or {}))
        values, largest = args[0].float(), args[1]
        is_weight = largest.ndim > 0
        signed = self.signed or is_weight or bool(values.min() < 0)
        least, most = (-128, 127) if signed else (0, 255)
        step = largest / most
        return ((values / step).round().clamp(least, most) * step).to(args[0].dtype)


@pytest.fixture(scope="module")
def case(quantised_package: ModelPackage) -> tuple[tuple[torch.Tensor, torch.Tensor], np.ndarray]:
    """Inputs, and what the INT8 export makes of them: ONNX Runtime computes it as it is written."""
    x = np.random.default_rng(1).normal(size=(1, 4, *quantised_package.card.inference.window))
    x, there = x.astype(np.float32), np.ones((1, 4), np.float32)
    session = onnxruntime.InferenceSession(
        quantised_package.quantised().whole(), providers=["CPUExecutionProvider"]
    )
    written = session.run(None, {"x": x, "availability": there})[0]
    assert written.std() > 0.05, "the test model must say something"
    return (torch.from_numpy(x), torch.from_numpy(there)), written


def test_layers_compute_what_the_export_says(quantised_package: ModelPackage, case) -> None:
    inputs, written = case
    network = load_network(quantised_package)
    quantise(network, quantised_layers(quantised_package.quantised().whole()), torch.float32)
    with torch.no_grad(), _Simulated(signed=False):
        found = torch.sigmoid(network(*inputs))
    assert np.abs(found.numpy() - written).mean() < 1e-4


def test_fp16_and_a_sign_on_all_inputs_change_little(program, case) -> None:
    inputs, written = case
    with torch.no_grad(), _Simulated(signed=True):
        found = program.module()(*inputs)
    assert np.abs(found.numpy() - written).mean() < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_models())
def test_models_that_ship_keep_their_regions_on_the_sample_case(name: str) -> None:
    package = load_package(name)
    inputs = [torch.from_numpy(array) for array in sample_case(package.card)]
    network = load_network(package)
    with torch.no_grad():
        exact = network(*inputs)[0] > 0
        quantise(network, quantised_layers(package.quantised().whole()), torch.float32)
        with _Simulated(signed=True):
            found = network(*inputs)[0] > 0
    for one, other in zip(exact, found, strict=True):
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.99


def test_a_model_without_an_int8_export_is_refused(tiny_package: ModelPackage) -> None:
    with pytest.raises(UnavailableError, match="export --int8"):
        exported_program(
            tiny_package, tiny_package.card.inference.window, Precision.INT8, Device.CPU
        )
