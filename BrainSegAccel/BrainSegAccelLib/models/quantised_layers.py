"""What the INT8 export says of its convolutions, for compilers that do not start from ONNX."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray

from ..errors import ModelError

_WEIGHT = re.compile(r"network\.(.+)\.weight")
"""Layer in the names of an export, around which NNCF writes what it makes of the weights."""
_WIDENING = "DequantizeLinear"
_STEPS = {"int8": 127, "uint8": 255}


@dataclass(frozen=True, eq=False)
class QuantisedLayer:
    """A convolution of the INT8 export; every range is the largest magnitude that it holds.

    :param weight: float32 [C_out, C_in, D, H, W], rounded to its INT8 steps.
    :param weight_range: float32 [C_out], 127 steps.
    :param input_range: of the whole input, 127 steps with a sign or 255 without.
    :param bias: float32 [C_out], as NNCF corrected it; None if there is none.
    """

    weight: NDArray[np.float32]
    weight_range: NDArray[np.float32]
    input_range: float
    bias: NDArray[np.float32] | None


def quantised_layers(export: bytes) -> dict[str, QuantisedLayer]:
    """Return the INT8 convolutions of an export by the name of their module in the network.

    :param export: ONNX with quantise-dequantise pairs and its weights, see `models.quantise`.
    :raises ModelError: a layer has no name, or INT8 values that are not symmetric about zero.
    """
    graph = onnx.load_from_string(export).graph
    maker = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}

    def constant(name: str) -> NDArray:
        if name in stored:
            return onnx.numpy_helper.to_array(stored[name])
        return _computed(maker[name], constant)

    layers = {}
    for node in graph.node:
        pairs = [maker[name] for name in node.input[:2] if name in maker]
        if node.op_type != "Conv" or [pair.op_type for pair in pairs] != 2 * [_WIDENING]:
            continue
        (_, scale, zero), (weight, weight_scale, weight_zero) = (pair.input for pair in pairs)
        found = _WEIGHT.search(weight)
        if found is None or constant(zero).any() or constant(weight_zero).any():
            raise ModelError(
                "an INT8 layer is not as brainsegaccel makes it",
                where=node.name,
                remedy="run brainsegaccel export --int8",
            )
        step = constant(weight_scale).astype(np.float32)
        layers[found[1]] = QuantisedLayer(
            weight=constant(weight) * step[:, None, None, None, None],
            weight_range=step * _STEPS["int8"],
            input_range=float(constant(scale)) * _STEPS[constant(zero).dtype.name],
            bias=constant(node.input[2]).astype(np.float32) if len(node.input) > 2 else None,
        )
    return layers


def _computed(node: onnx.NodeProto, constant: Callable[[str], NDArray]) -> NDArray:
    """Value of a node by which an export makes a constant of its weights, see `models.outline`.

    :param constant: value of an input by its name.
    """
    given = [constant(name) for name in node.input]
    match node.op_type:
        case "Cast":
            kind = onnx.helper.get_node_attr_value(node, "to")
            return given[0].astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
        case "Constant":
            return onnx.numpy_helper.to_array(onnx.helper.get_node_attr_value(node, "value"))
        case "Div":
            return given[0] / given[1]
        case "Round":
            return np.rint(given[0])
        case "Unsqueeze":
            return np.expand_dims(given[0], tuple(given[1]))
    raise ModelError(
        f"a constant of an INT8 layer is made by {node.op_type}",
        where=node.name,
        remedy="run brainsegaccel export --int8",
    )
