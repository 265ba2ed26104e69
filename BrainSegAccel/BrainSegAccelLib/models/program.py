"""A network as PyTorch compilers take it: one exported program with its number formats inside."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from .description import Inputs, Shape
from .networks import ROUNDED, DeployedNetwork, load_network
from .package import ModelPackage
from .precision import Precision

ARITHMETIC = frozenset({"conv3d", "linear", "matmul", "instance_norm", "layer_norm"})
"""Operators that do the arithmetic, as ATen names them."""
QUANTISER = "quantize_op"
"""The operator, of the library ``tensorrt``, through which an INT8 layer gets its input."""

_NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


def deployed_network(package: ModelPackage, precision: Precision, device: str) -> nn.Module:
    """Return the network of a model on a device of PyTorch, in evaluation mode.

    :raises ModelError: the weights, or for INT8 its export, cannot be trusted.
    :raises UnavailableError: all that is known of it is its export; INT8 is asked for and the model
        has no export for it.
    """
    network = load_network(package)
    if precision is Precision.INT8:
        # ModelOpt and ONNX are needed for INT8 alone.
        from .int8_convolution import quantise
        from .quantised_layers import quantised_layers

        quantise(network, quantised_layers(package.quantised().whole()), ROUNDED[precision])
    deployed = DeployedNetwork(network, package.card.outputs.activation, precision)
    return deployed.eval().to(device)


def example_inputs(inputs: Inputs, shape: Shape, device: str) -> tuple[Tensor, ...]:
    """Return what a network of one static shape takes: x [1, C, D, H, W], availability [1, C]."""
    channels = len(inputs.channels)
    x = torch.zeros(1, channels, *shape, device=device)
    return (x, torch.ones(1, channels, device=device)) if inputs.availability else (x,)


def exported_program(
    package: ModelPackage, shape: Shape, precision: Precision, device: str
) -> torch.export.ExportedProgram:
    """Export the whole network as one static graph of ATen operators, and quantisers for INT8.

    Rounding is part of the graph: every cast that autocast implies is an operator of it.

    :raises ModelError, UnavailableError: see `deployed_network`.
    """
    network = deployed_network(package, precision, device)
    with torch.inference_mode(False), torch.no_grad():
        program = torch.export.export(network, example_inputs(package.card.inputs, shape, device))
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
