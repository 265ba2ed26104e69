"""The graph before any runtime: whole, one for all subsets, in a vocabulary that compilers know."""

from __future__ import annotations

import importlib.util
import re
from itertools import product
from pathlib import Path

import pytest
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.models.package import ModelPackage

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.program import (  # noqa: E402
    QUANTISER,
    deployed_network,
    example_inputs,
    exported_program,
    operator,
)
from torch._decomp import get_decompositions  # noqa: E402

VOCABULARY = frozenset(
    {
        *("conv3d", "linear", "matmul", "instance_norm", "layer_norm"),
        *("add", "sub", "rsub", "mul", "neg", "exp", "clamp"),
        *("relu", "silu", "softplus", "sigmoid"),
        *("cat", "clone", "flip", "pad", "permute", "select", "slice", "unsqueeze"),
        *("_unsafe_view", "view", "_to_copy", "_assert_tensor_metadata"),
        QUANTISER,
    }
)
"""Every operator that the exported program may call, in any precision."""

NOT_CONVERTED = frozenset({"aten._assert_tensor_metadata.default"})
"""Checks at export, which Torch-TensorRT removes."""

SUBSETS = [subset for subset in product((0.0, 1.0), repeat=4) if any(subset)]


@pytest.fixture(scope="module", params=[Precision.FP32, Precision.FP16, Precision.INT8])
def program(request: pytest.FixtureRequest, tiny_package: ModelPackage):
    package = tiny_package
    if request.param is Precision.INT8:
        pytest.importorskip("modelopt", reason="ModelOpt comes with the tensorrt extra")
        package = request.getfixturevalue("quantised_package")
    return exported_program(package, package.card.inference.window, request.param, Device.CPU)


def _operators(program) -> set[str]:
    return {operator(node) for node in program.graph.nodes if node.op == "call_function"}


def test_every_operator_is_on_the_list(program) -> None:
    assert _operators(program) <= VOCABULARY


def test_one_program_serves_all_fifteen_subsets(tiny_package: ModelPackage) -> None:
    shape = tiny_package.card.inference.window
    network = deployed_network(tiny_package, Precision.FP32, Device.CPU)
    whole = exported_program(tiny_package, shape, Precision.FP32, Device.CPU).module()
    x, _ = example_inputs(tiny_package.card.inputs, shape, Device.CPU)
    x = x.normal_(generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for subset in SUBSETS:
            there = torch.tensor([subset])
            torch.testing.assert_close(whole(x, there), network(x, there), atol=1e-5, rtol=0)


def test_no_shape_depends_on_data(program) -> None:
    for node in program.graph.nodes:
        if isinstance(value := node.meta.get("val"), torch.Tensor):
            assert all(isinstance(size, int) for size in value.shape)


def test_torch_compile_breaks_the_graph_nowhere(tiny_package: ModelPackage) -> None:
    network = deployed_network(tiny_package, Precision.FP32, Device.CPU)
    card = tiny_package.card
    inputs = example_inputs(card.inputs, card.inference.window, Device.CPU)
    with torch.no_grad():
        explained = torch._dynamo.explain(network)(*inputs)
    assert explained.graph_break_count == 0
    assert explained.graph_count == 1


def test_openvino_imports_it_whole(tiny_package: ModelPackage) -> None:
    from BrainSegAccelLib.backends.openvino import shared_core

    model = shared_core().read_model(tiny_package.onnx().whole(), b"")
    assert not model.is_dynamic()
    names = {kind.get_type_name() for kind in model.get_ordered_ops()}
    assert not {"If", "Loop", "TensorIterator", "FrameworkNode"} & names


def test_tvm_imports_it_whole(tiny_package: ModelPackage) -> None:
    pytest.importorskip("tvm", reason="Apache TVM comes with the tvm extra")
    from BrainSegAccelLib.backends.tvm import ENTRY, relax_module

    module = relax_module(tiny_package, tiny_package.card.inference.window, Precision.FP32)
    assert [name.name_hint for name in module.get_global_vars()] == [ENTRY]


def test_every_operator_has_a_converter_in_torch_tensorrt(program) -> None:
    """Read from the source of the installed wheel: it cannot be imported without TensorRT."""
    found = importlib.util.find_spec("torch_tensorrt")
    if found is None or not found.submodule_search_locations:
        pytest.skip("torch-tensorrt is not installed (pip install --no-deps torch-tensorrt)")
    folder = Path(found.submodule_search_locations[0], "dynamo", "conversion")
    text = (folder / "aten_ops_converters.py").read_text()
    decorator = r"@dynamo_tensorrt_converter\(\s*torch\.ops\.((?:aten|tensorrt)\.[\w.]+)"
    registered = set(re.findall(decorator, text))
    assert len(registered) > 100
    # As Torch-TensorRT does first: PyTorch's core operators, and repeat in simpler ones.
    simpler = get_decompositions([torch.ops.aten.repeat])
    table = {**torch.export.default_decompositions(), **simpler}
    needed = {
        str(node.target)
        for node in program.run_decompositions(table).graph.nodes
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload)
    }
    assert "aten.convolution.default" in needed
    assert needed - NOT_CONVERTED <= registered, needed - registered


def test_the_quantised_export_calls_nothing_else(quantised_package: ModelPackage) -> None:
    import onnx

    kinds = [
        {node.op_type for node in onnx.load_from_string(content).graph.node}
        for content in (quantised_package.onnx().whole(), quantised_package.quantised().whole())
    ]
    assert kinds[1] - kinds[0] <= {"QuantizeLinear", "DequantizeLinear", "Constant", "Div", "Round"}
