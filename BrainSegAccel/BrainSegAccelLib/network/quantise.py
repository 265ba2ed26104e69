"""Making the INT8 export: NNCF's post-training quantisation of the convolutions.

Convolutions are nearly all of the arithmetic. Everything else stays in FP32: normalisations,
gates, and the state-space blocks, whose decays are exponentials of sums. So does the stem: what it
reads has the full range of z-scores, and OpenVINO 2026.4 computes it wrongly in INT8.
"""

from __future__ import annotations

import hashlib
import logging
import os
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper

from ..files.atomic import atomic_write
from .calibration import Calibration
from .card import ModelCard, QuantisedRecord
from .export import INPUT_NAMES, OPSET, halve_exact_weights, write_card
from .package import ModelPackage

# NNCF tells its makers of every call, except where it believes to be in continuous integration.
os.environ.setdefault("NNCF_CI", "1")
import nncf

QUANTISED = "Conv"
SUFFIX = ".int8.onnx"


def quantised_onnx(package: ModelPackage, calibration: Calibration) -> bytes:
    """Return the ONNX export with quantise-dequantise pairs around its convolutions.

    Weights are INT8 by output channel, activations INT8 by tensor with symmetric scales; NNCF
    corrects the biases for the mean error that is left.

    :raises ModelError: the export cannot be trusted.
    """
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = onnx.load_from_string(package.onnx())
    _widen_weights(model.graph)
    feeds = [dict(zip(INPUT_NAMES, pair, strict=True)) for pair in calibration.inputs]
    _, *inner = (node.name for node in model.graph.node if node.op_type == QUANTISED)
    others = [node.name for node in model.graph.node if node.name not in inner]
    quantised = nncf.quantize(
        model,
        nncf.Dataset(feeds),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(feeds),
        ignored_scope=nncf.IgnoredScope(names=others),
    )
    halve_exact_weights(quantised.graph)
    onnx.checker.check_model(quantised, full_check=True)
    return quantised.SerializeToString(deterministic=True)


def _widen_weights(graph: onnx.GraphProto) -> None:
    """Undo `halve_exact_weights`: quantisation wants to see the weights, not casts of them."""
    halves = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        tensor = halves.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None:
            nodes.append(node)
            continue
        wide = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(wide, node.output[0]))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def _quantised_layers(graph: onnx.GraphProto) -> int:
    """Count the convolutions whose weights are stored in INT8."""
    widened = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return sum(node.op_type == QUANTISED and node.input[1] in widened for node in graph.node)


def export_quantised(package: ModelPackage, calibration: Calibration) -> tuple[Path, ModelCard]:
    """Write the INT8 export beside the weights and note it, with its calibration, in the card.

    :returns: path of the export and the card as it now stands.
    :raises ModelError: the FP32 export cannot be trusted.
    """
    content = quantised_onnx(package, calibration)
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
    )
    card = card.model_copy(update={"quantised": record})
    with atomic_write(path) as beside:
        beside.write_bytes(content)
    write_card(card, package.folder)
    return path, card
