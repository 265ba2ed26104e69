"""Taking the weights out of an ONNX model that was made from them: it refers to their file instead.

What is left is the graph, and the few constants that are not weights.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx.external_data_helper import set_external_data

PREFIX = "weights/"
"""Before the key of a tensor in the weights' file, in the name that the graph has for it."""


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file: name and content."""

    name: str
    content: bytes

    def tensors(self) -> dict[str, NDArray]:
        """The tensors by key."""
        from safetensors.numpy import load

        return load(self.content)

    def places(self) -> dict[str, tuple[int, int]]:
        """Offset and length of every tensor in the file, by key."""
        (size,) = struct.unpack_from("<Q", self.content)
        header = json.loads(self.content[8 : 8 + size])
        spans = {key: v["data_offsets"] for key, v in header.items() if key != "__metadata__"}
        return {key: (8 + size + start, end - start) for key, (start, end) in spans.items()}


class _Weights:
    """Finds the weight that a constant of the graph was made from."""

    def __init__(self, tensors: dict[str, NDArray]) -> None:
        self.tensors = tensors
        self._by_value: dict[tuple, list[str]] = defaultdict(list)
        for key, tensor in tensors.items():
            self._by_value[_identity(tensor.astype(np.float32))].append(key)
        self._turned = {
            _identity(tensor.T.astype(np.float32)): key
            for key, tensor in tensors.items()
            if tensor.ndim == 2
        }

    def same(self, name: str, constant: NDArray) -> str | None:
        """Key of a tensor of these values; of several, the one that the name speaks of."""
        keys = self._by_value.get(_identity(constant), [])
        return next((key for key in keys if name.endswith(key)), keys[0] if keys else None)

    def transposed(self, constant: NDArray) -> str | None:
        """Key of a matrix whose transpose has these values."""
        return self._turned.get(_identity(constant))

    def rounded(self, constant: NDArray, scale: NDArray) -> str | None:
        """Key of a tensor that, in steps of ``scale`` by output channel, rounds to these values."""
        steps = scale.reshape(-1, *[1] * (constant.ndim - 1)) if scale.ndim else scale
        for key, tensor in self.tensors.items():
            if tensor.shape == constant.shape and np.array_equal(
                np.rint(tensor.astype(np.float32) / steps), constant
            ):
                return key
        return None


def _identity(array: NDArray) -> tuple:
    return array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes()


def refer_to_weights(model: onnx.ModelProto, file: WeightsFile) -> onnx.ModelProto:
    """Return the model without the constants that can be had from the weights to the last bit.

    A constant becomes a reference to the tensor and the nodes that make it: the cast to FP32; the
    transposition that the exporter did; for INT8, division by the scales and rounding, in which
    OpenVINO's own quantiser differs. The runtimes fold them when they load the model. Constants
    that are alike are kept once.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    weights, places = _Weights(file.tensors()), file.places()
    stored = {tensor.name: tensor for tensor in graph.initializer}
    scales = {
        node.input[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"
    }
    nodes, used, kept = [], set(), []
    first: dict[tuple, str] = {}
    renamed: dict[str, str] = {}
    for name, tensor in stored.items():
        constant = onnx.numpy_helper.to_array(tensor)
        scale = stored.get(scales.get(name, ""))
        made = _made(weights, name, constant, scale)
        if made is not None:
            key, how = made
            used.add(key)
            nodes += how
        elif (alike := first.setdefault(_identity(constant), name)) != name:
            renamed[name] = alike
        else:
            kept.append(onnx.TensorProto.FromString(tensor.SerializeToString()))
    nodes += [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    graph.initializer.extend(
        _reference(key, weights.tensors[key], file.name, places[key]) for key in sorted(used)
    )
    return model


def _made(
    weights: _Weights, name: str, constant: NDArray, scale: onnx.TensorProto | None
) -> tuple[str, list[onnx.NodeProto]] | None:
    """Return the key of the weight, and the nodes that make the constant of it; None if none do."""
    node = onnx.helper.make_node
    if constant.dtype == np.int8 and scale is not None and constant.ndim > 1:
        steps = onnx.numpy_helper.to_array(scale)
        key = weights.rounded(constant, steps)
        if key is None:
            return None
        wide, by = f"{name}.wide", scale.name
        how = [node("Cast", [PREFIX + key], [wide], to=onnx.TensorProto.FLOAT)]
        if steps.ndim:
            by = f"{name}.steps"
            axes = onnx.numpy_helper.from_array(np.arange(1, constant.ndim))
            how.append(node("Constant", [], [f"{name}.axes"], value=axes))
            how.append(node("Unsqueeze", [scale.name, f"{name}.axes"], [by]))
        how.append(node("Div", [wide, by], [f"{name}.divided"]))
        how.append(node("Round", [f"{name}.divided"], [f"{name}.rounded"]))
        how.append(node("Cast", [f"{name}.rounded"], [name], to=onnx.TensorProto.INT8))
        return key, how
    if constant.dtype != np.float32:
        return None
    key = weights.same(name, constant)
    if key is not None:
        return key, [node("Cast", [PREFIX + key], [name], to=onnx.TensorProto.FLOAT)]
    key = weights.transposed(constant)
    if key is not None:
        wide = f"{name}.upright"
        return key, [
            node("Cast", [PREFIX + key], [wide], to=onnx.TensorProto.FLOAT),
            node("Transpose", [wide], [name], perm=[1, 0]),
        ]
    return None


def _reference(key: str, tensor: NDArray, file: str, place: tuple[int, int]) -> onnx.TensorProto:
    proto = onnx.numpy_helper.from_array(tensor, PREFIX + key)
    set_external_data(proto, file, offset=place[0], length=place[1])
    proto.ClearField("raw_data")
    return proto
