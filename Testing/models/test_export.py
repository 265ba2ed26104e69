"""The shipped export is the one static graph of the shipped weights, in a known vocabulary."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.models.export import INPUT_NAMES, OUTPUT_NAME, onnx_bytes
from BrainSegAccelLib.models.package import ModelPackage, load_package, shipped_models
from safetensors.numpy import load as load_arrays

ALLOWED = {
    *("Add", "Cast", "Clip", "Concat", "Conv", "Exp", "Gather", "Gemm", "Greater"),
    *("InstanceNormalization", "LayerNormalization", "MatMul", "Mul", "Pad", "Relu", "Reshape"),
    *("Sigmoid", "Slice", "Softplus", "Sub", "Transpose", "Unsqueeze", "Where"),
}
"""Operators that the compilers we target take. ``Greater`` and ``Where`` come from softplus,
``Cast`` from weights that are stored in FP16."""


def _graph(content: bytes) -> onnx.GraphProto:
    return onnx.load_from_string(content).graph


@pytest.fixture(params=shipped_models())
def shipped(request: pytest.FixtureRequest) -> ModelPackage:
    return load_package(request.param)


def test_export_is_deterministic(tiny_package: ModelPackage) -> None:
    assert onnx_bytes(tiny_package) == tiny_package.onnx().graph


def test_the_tiny_model_uses_the_same_vocabulary(tiny_package: ModelPackage) -> None:
    assert {node.op_type for node in _graph(tiny_package.onnx().whole()).node} <= ALLOWED


def test_one_static_graph_without_branches(shipped: ModelPackage) -> None:
    graph = _graph(shipped.onnx().whole())
    assert {node.op_type for node in graph.node} <= ALLOWED
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {
        INPUT_NAMES[0]: [1, 4, *shipped.card.inference.window],
        INPUT_NAMES[1]: [1, 4],
        OUTPUT_NAME: [1, 3, *shipped.card.inference.window],
    }


def test_nothing_of_the_exporting_machine_is_in_it(shipped: ModelPackage) -> None:
    content = shipped.onnx().graph
    for trace in (b"site-packages", b"/home/", b"/root/", b".py"):
        assert trace not in content


def test_every_weight_of_the_export_is_one_of_the_safetensors(shipped: ModelPackage) -> None:
    """Convolution kernels, the bulk of the parameters, stand in the export as they were trained."""
    arrays = load_arrays(shipped.weights()).values()
    weights = {array.astype(np.float32).tobytes() for array in arrays}
    kernels = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in _graph(shipped.onnx().whole()).initializer
        if len(tensor.dims) == 5 and tensor.dims[1] > 1
    ]
    assert len(kernels) == sum(array.ndim == 5 and array.shape[1] > 1 for array in arrays) > 10
    for kernel in kernels:
        assert kernel.astype(np.float32).tobytes() in weights


def test_the_export_computes_what_the_weights_do(
    shipped: ModelPackage, engine_cache: EngineCache
) -> None:
    shape = shipped.card.inference.window
    x = np.zeros((1, 4, *shape), dtype=np.float32)
    x[:, :, 20:-20, 20:-20, 20:-20] = np.random.default_rng(0).normal(
        size=(1, 4, *(n - 40 for n in shape))
    )
    availability = np.array([[1, 1, 0, 1]], dtype=np.float32)
    results = [
        backends()[name]
        .build(shipped, shape, Precision.FP32, Device.CPU, engine_cache)(x, availability)
        .copy()
        for name in ("eager", "onnxruntime", "openvino")
    ]
    np.testing.assert_allclose(results[1], results[0], atol=1e-3)
    np.testing.assert_allclose(results[2], results[0], atol=1e-3)
