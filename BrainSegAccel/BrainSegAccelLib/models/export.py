"""Making the ONNX export from the weights: the one static graph that a default install runs."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch

from ..io.atomic import atomic_write
from .card import ModelCard, OnnxRecord
from .external_data import inline_weights
from .outline import WeightsFile, refer_to_weights
from .package import CARD_SUFFIX, ModelPackage
from .precision import Precision
from .program import deployed_network, example_inputs

OPSET = 20
INPUT_NAMES = ("x", "availability")
"""Of the inputs that there are, in their order."""
OUTPUT_NAME = "probabilities"


def onnx_bytes(package: ModelPackage) -> bytes:
    """Return the graph of a package in ONNX: inputs to probabilities, static shape, batch 1.

    Its weights are external data in the safetensors file.

    :raises ModelError: the weights cannot be trusted.
    :raises UnavailableError: its export is all that is known of the network.
    """
    card = package.card
    network = deployed_network(package, Precision.FP32, "cpu")
    example = example_inputs(card.inputs, card.inference.window, "cpu")
    names = INPUT_NAMES[: len(example)]
    model = onnx.load_from_string(static_onnx(network, example, names, OUTPUT_NAME))
    return graph_bytes(model, package)


def graph_bytes(model: onnx.ModelProto, package: ModelPackage) -> bytes:
    """Return a model as ONNX with external data in the package's weights.

    :raises ModelError: the weights cannot be trusted.
    :raises onnx.checker.ValidationError: with them inside it is no valid ONNX model.
    """
    record, weights = package.card.weights, package.weights()
    referring = refer_to_weights(model, WeightsFile(record.file, weights))
    graph: bytes = referring.SerializeToString(deterministic=True)
    whole = inline_weights(graph, weights, record.file, package.card.name)
    onnx.checker.check_model(onnx.load_from_string(whole), full_check=True)
    return graph


def static_onnx(
    network: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    input_names: Sequence[str],
    output_name: str,
) -> bytes:
    """Return the ONNX model of a network, weights inside, for inputs shaped as the example.

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
