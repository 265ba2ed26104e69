"""The network as PyTorch compilers take it: one exported program with its number formats inside."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from ..models.config import MODALITY_CHANNELS
from ..models.hybrid import HybridNetwork
from ..models.package import ModelPackage
from ..models.weights import load_network
from .protocol import Device, Precision, Shape

ARITHMETIC = frozenset({"conv3d", "linear", "matmul", "instance_norm", "layer_norm"})
"""Operators that do the arithmetic, as ATen names them."""
QUANTISER = "quantize_op"
"""The operator, of the library ``tensorrt``, through which an INT8 layer gets its input."""

_NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
_ROUNDED = {
    Precision.FP16: torch.float16,
    Precision.BF16: torch.bfloat16,
    # What INT8 leaves open: a GPU that computes in INT8 does in FP16.
    Precision.INT8: torch.float16,
}


class DeployedNetwork(nn.Module):
    """The network in one precision, from FP32 inputs to FP32 probabilities.

    FP16 and BF16 are PyTorch's autocast: convolutions, linear layers and most matrix products are
    rounded; the sums and exponentials of the state-space decay stay in FP32, see `ssd`. INT8 is
    FP16 but for the convolutions that are INT8 in the model's export, see `int8_convolution`. TF32
    is FP32 here: it is how a GPU multiplies, not a format of the graph.
    """

    def __init__(self, network: HybridNetwork, precision: Precision) -> None:
        super().__init__()
        self.network = network
        self.rounded = _ROUNDED.get(precision)

    def forward(self, x: Tensor, availability: Tensor) -> Tensor:
        """As :meth:`HybridNetwork.forward`, but probabilities [B, 3, D, H, W] in FP32."""
        if self.rounded is None:
            logits = self.network(x, availability)
        else:
            with torch.autocast(x.device.type, dtype=self.rounded):
                logits = self.network(x, availability)
        return torch.sigmoid(logits.float())


def deployed_network(package: ModelPackage, precision: Precision, device: Device) -> nn.Module:
    """Return the network of a model on a device, in evaluation mode.

    :raises ModelError: the weights, or for INT8 its export, cannot be trusted.
    :raises UnavailableError: INT8 is asked for and the model has no export for it.
    """
    network = load_network(package)
    if precision is Precision.INT8:
        # ModelOpt and ONNX are needed for INT8 alone.
        from ..models.int8_convolution import quantise
        from ..models.quantised_layers import quantised_layers

        quantise(network, quantised_layers(package.quantised()), _ROUNDED[precision])
    return DeployedNetwork(network, precision).eval().to(device.value)


def example_inputs(shape: Shape, device: Device) -> tuple[Tensor, Tensor]:
    """Return inputs of the one static shape: x [1, 4, D, H, W] and availability [1, 4]."""
    x = torch.zeros(1, MODALITY_CHANNELS, *shape, device=device.value)
    return x, torch.ones(1, MODALITY_CHANNELS, device=device.value)


def exported_program(
    package: ModelPackage, shape: Shape, precision: Precision, device: Device
) -> torch.export.ExportedProgram:
    """Export the whole network as one static graph of ATen operators, and quantisers for INT8.

    Rounding is part of the graph: every cast that autocast implies is an operator of it.

    :raises ModelError, UnavailableError: see `deployed_network`.
    """
    network = deployed_network(package, precision, device)
    with torch.inference_mode(False), torch.no_grad():
        program = torch.export.export(network, example_inputs(shape, device))
        # An empty table decomposes nothing, but writes autocast regions out as casts.
        program = program.run_decompositions({})
    _count_from_the_start(program)
    return program


def _count_from_the_start(program: torch.export.ExportedProgram) -> None:
    """Make negative indices positive: TVM 0.27 reads beyond the end of the tensor for them."""
    for node in program.graph.nodes:
        if node.op == "call_function" and operator(node) == "select" and node.args[2] < 0:
            tensor, dim, index = node.args
            node.args = (tensor, dim, index + tensor.meta["val"].shape[dim])
    program.graph_module.recompile()


def operator(node: torch.fx.Node) -> str:
    """Name of the operator that a node calls, without library and overload, e.g. ``conv3d``."""
    name = str(node.target).removeprefix("aten.").removeprefix("tensorrt.")
    return name.partition(".")[0]


def arithmetic_formats(program: torch.export.ExportedProgram) -> dict[str, int]:
    """Count the operators that do the arithmetic: INT8 behind a quantiser, else by their result."""
    return dict(
        Counter(
            "int8" if operator(node.args[0]) == QUANTISER else _NAMES[node.meta["val"].dtype]
            for node in program.graph.nodes
            if node.op == "call_function" and operator(node) in ARITHMETIC
        )
    )
