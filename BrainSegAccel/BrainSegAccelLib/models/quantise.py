"""Making the INT8 export: NNCF's post-training quantisation of the convolutions, held to FP32.

Convolutions are nearly all of the arithmetic. Everything else stays in FP32: normalisations,
gates, and the state-space blocks, whose decays are exponentials of sums. So does the stem: what it
reads has the full range of z-scores, and OpenVINO 2026.4 computes it wrongly in INT8. Where the
result still strays from that of FP32, the convolutions that are to blame go back to FP32 too.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray

from ..io.atomic import atomic_write
from ..metrics.dice import dice_of_counts
from .calibration import Array, Calibration
from .card import ModelCard, QuantisedRecord
from .export import INPUT_NAMES, OPSET, graph_bytes, write_card
from .package import ModelPackage

# NNCF tells its makers of every call, except where it believes to be in continuous integration.
os.environ.setdefault("NNCF_CI", "1")
import nncf

QUANTISED = "Conv"
SUFFIX = ".int8.onnx"
LARGEST_LOSS = 0.01
"""Of Dice with what FP32 finds on the calibration inputs, see `quantised_onnx`."""

Network = Callable[..., Array]
"""Its inputs, in their order, to probabilities (C, D, H, W)."""
Compile = Callable[[bytes], Network]
"""Makes an ONNX export run, on the runtime that will run it."""


@dataclass(frozen=True, eq=False)
class _Item:
    """What the network is given, and where FP32 finds each region: bool (C, D, H, W)."""

    given: tuple[Array, ...]
    found: NDArray[np.bool_]

    @property
    def feed(self) -> dict[str, Array]:
        """The inputs by name."""
        return dict(zip(INPUT_NAMES[: len(self.given)], self.given, strict=True))


def quantised_onnx(
    package: ModelPackage,
    calibration: Calibration,
    compile_export: Compile,
    largest_loss: float = LARGEST_LOSS,
) -> tuple[bytes, float]:
    """Return the graph of a package with quantise-dequantise pairs around its convolutions.

    Weights are INT8 by output channel, activations INT8 by tensor with symmetric scales; NNCF
    corrects the biases for the mean error that is left, and takes convolutions back to FP32, the
    most harmful first, until no more than ``largest_loss`` is lost. What counts is the Dice of each
    region over the voxels of all inputs together, mean over regions: a mean over inputs would hang
    on the one whose region has a few voxels.

    :returns: also that Dice with what FP32 finds.
    :raises ModelError: the export cannot be trusted.
    """
    logging.getLogger("nncf").setLevel(logging.ERROR)
    whole = package.onnx().whole()
    model = onnx.load_from_string(whole)
    _fold_weights(model.graph)
    exact = compile_export(whole)
    fed = [package.card.inputs.feed(*pair) for pair in calibration.inputs]
    items = [_Item(given, exact(*given) > 0.5) for given in fed]

    def agreement(model: onnx.ModelProto, some: Iterable[_Item]) -> tuple[float, list[float]]:
        network = compile_export(model.SerializeToString())
        counts = [_overlap(network(*one.given) > 0.5, one.found) for one in some]
        each = [float(dice_of_counts(*count).mean()) for count in counts]
        return float(dice_of_counts(*np.sum(counts, axis=0)).mean()), each

    _, *inner = (node.name for node in model.graph.node if node.op_type == QUANTISED)
    others = [node.name for node in model.graph.node if node.name not in inner]
    dataset = nncf.Dataset(items, lambda one: one.feed)
    quantised = nncf.quantize_with_accuracy_control(
        model,
        dataset,
        dataset,
        agreement,
        max_drop=largest_loss,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(items),
        ignored_scope=nncf.IgnoredScope(names=others),
    )
    return graph_bytes(quantised, package), agreement(quantised, items)[0]


def _overlap(found: NDArray[np.bool_], expected: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels [2, C] that both bool (C, D, H, W) have, and the sum of what each has, by region."""
    common, one, other = (
        np.sum(maps, axis=(1, 2, 3)) for maps in (found & expected, found, expected)
    )
    return np.stack([common, one + other])


def _fold_weights(graph: onnx.GraphProto) -> None:
    """Have the weights stand in the graph as they are used.

    Quantisation wants to see them, not the casts and transpositions by which an export makes them
    of what it refers to.
    """
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type not in ("Cast", "Transpose") or node.input[0] not in values:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
        elif node.op_type == "Cast":
            kind = onnx.helper.get_node_attr_value(node, "to")
            kind = onnx.helper.tensor_dtype_to_np_dtype(kind)
            values[node.output[0]] = values[node.input[0]].astype(kind)
        else:
            order = onnx.helper.get_node_attr_value(node, "perm")
            values[node.output[0]] = values[node.input[0]].transpose(order)
    used = {name for node in nodes for name in node.input}
    for field in (graph.node, graph.initializer):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in values.items() if name in used
    )


def _quantised_layers(graph: onnx.GraphProto) -> int:
    """Count the convolutions whose weights are stored in INT8."""
    widened = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return sum(node.op_type == QUANTISED and node.input[1] in widened for node in graph.node)


def export_quantised(
    package: ModelPackage,
    calibration: Calibration,
    compile_export: Compile,
    largest_loss: float = LARGEST_LOSS,
) -> tuple[Path, ModelCard]:
    """Write the INT8 export beside the weights and note it, with its calibration, in the card.

    :param compile_export, largest_loss: see `quantised_onnx`.
    :returns: path of the export and the card as it now stands.
    :raises ModelError: the FP32 export cannot be trusted.
    """
    content, agreement = quantised_onnx(package, calibration, compile_export, largest_loss)
    if agreement < 1 - largest_loss:
        warnings.warn(
            f"INT8 agrees with FP32 to a Dice of {agreement:.3f} only; compare both with "
            "brainsegaccel bench before you use it",
            stacklevel=2,
        )
    card = package.card
    path = package.folder / f"{card.name}{SUFFIX}"
    record = QuantisedRecord(
        file=path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        made_from_sha256=card.weights.sha256,
        opset=OPSET,
        calibration=calibration.record,
        tool=f"nncf {metadata.version('nncf')}",
        layers=_quantised_layers(onnx.load_from_string(content).graph),
        agreement_dice=round(agreement, 4),
    )
    card = card.model_copy(update={"quantised": record})
    with atomic_write(path) as beside:
        beside.write_bytes(content)
    write_card(card, package.folder)
    return path, card
