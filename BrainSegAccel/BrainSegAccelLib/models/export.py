"""Making the ONNX export from the weights: the one static graph that a default install runs."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch

from ..io.atomic import atomic_write
from .card import ModelCard, OnnxRecord
from .package import CARD_SUFFIX, ModelPackage
from .precision import Precision
from .program import deployed_network, example_inputs

OPSET = 20
INPUT_NAMES = ("x", "availability")
"""Of the inputs that there are, in their order."""
OUTPUT_NAME = "probabilities"
SMALLEST_HALVED = 1024
"""Constants of fewer values are not worth a node."""


def onnx_bytes(package: ModelPackage) -> bytes:
    """Return the ONNX model of a package: weights to probabilities, static shape, batch 1.

    :raises ModelError: the weights cannot be trusted.
    :raises UnavailableError: its export is all that is known of the network.
    """
    card = package.card
    network = deployed_network(package, Precision.FP32, "cpu")
    example = example_inputs(card.inputs, card.inference.window, "cpu")
    return static_onnx(network, example, INPUT_NAMES[: len(example)], OUTPUT_NAME)


def static_onnx(
    network: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    input_names: Sequence[str],
    output_name: str,
) -> bytes:
    """Return the ONNX model of a network for inputs shaped as the example.

    Deterministic: the same weights give the same bytes under the same versions of torch,
    onnxscript and onnx. Node names and traces of the exporting machine are left out.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=[output_name],
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip_traces(model)
    halve_exact_weights(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _strip_traces(model: onnx.ModelProto) -> None:
    """Remove documentation and metadata that hold stack traces and paths of this machine."""
    del model.metadata_props[:]
    model.doc_string = ""
    graph = model.graph
    del graph.metadata_props[:]
    graph.doc_string = ""
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""


def halve_exact_weights(graph: onnx.GraphProto) -> None:
    """Store large FP32 constants in FP16 behind a Cast, where not one value changes.

    Weights are shipped in FP16, so this halves the file. The runtimes fold the casts when they
    load it and compute in FP32.
    """
    casts = []
    for tensor in graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < SMALLEST_HALVED:
            continue
        half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.fp16"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def export_onnx(package: ModelPackage) -> tuple[Path, ModelCard]:
    """Write the export beside the weights and note it in the model card.

    :returns: path of the export and the card as it now stands.
    :raises ModelError: the weights cannot be trusted.
    """
    content = onnx_bytes(package)
    card = package.card
    path = package.folder / f"{card.name}.onnx"
    record = OnnxRecord(
        file=path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        made_from_sha256=card.weights.sha256,
        opset=OPSET,
    )
    card = card.model_copy(update={"onnx": record})
    with atomic_write(path) as beside:
        beside.write_bytes(content)
    write_card(card, package.folder)
    return path, card


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write a model card as JSON; returns its path."""
    path = folder / f"{card.name}{CARD_SUFFIX}"
    with atomic_write(path) as beside:
        text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8")
    return path
