"""Make the weights of a recipe's node a shipped model: weights, model card and ONNX export.

    python tools/ship_model.py runs/full-0.11.0 --recipe docs/history/recipe.json \
        --node full-0.11.0 --name full --version 0.11.0 --summary TEXT --procedure TEXT

The folder holds ``weights.safetensors``, as `replay_recipe.py` and ``brainsegaccel train`` leave
it. Weights are stored in FP16, the network computes in FP32. Steps, hours and hardware are those of
all runs that went into the node. Figures of an evaluation, made with the stored weights, are added
to the card by ``--figure NAME=VALUE``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from BrainSegAccelLib.models.card import FileRecord, ModelCard, TrainingRecord
from BrainSegAccelLib.models.description import Inference
from BrainSegAccelLib.models.export import export_onnx, write_card
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.training.pretrained import read_pretrained
from BrainSegAccelLib.training.recipe import RunNode, read_recipe
from BrainSegAccelLib.training.tasks import training_task
from BrainSegAccelLib.training.train import WEIGHTS
from safetensors.torch import save

INTENDED_USE = {
    "tumour": "Research on brain tumour segmentation in MR. Not a medical device: not for "
    "diagnosis, treatment planning or any other clinical decision.",
    "brain": "Brain extraction in research on MR of the head. Not a medical device: not for "
    "diagnosis, treatment planning or any other clinical decision.",
}
DATA = {
    "tumour": "Synthetic cases only: anatomy from the ICBM152 2009a tissue maps under random "
    "deformation, procedural tumours and scanner effects. No patient image was used for training.",
    "brain": "Synthetic heads only: anatomy from the ICBM152 2009a tissue maps under random "
    "deformation, procedural skull, scalp, face and neck, procedural tumours, random contrast and "
    "scanner effects. No patient image was used for training.",
}


def main() -> None:
    """Write the model's files into the resources of the library."""
    options = _options()
    trained = read_pretrained(str(options.folder / WEIGHTS))
    weights = save({key: tensor.half().contiguous() for key, tensor in trained.tensors.items()})
    folder = resource("Models")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{options.name}.safetensors"
    (folder / name).write_bytes(weights)
    kind = training_task(trained.task)
    card = ModelCard(
        name=options.name,
        version=options.version,
        summary=options.summary,
        intended_use=INTENDED_USE[trained.task],
        licence="Apache-2.0",
        task=trained.task,
        inputs=kind.task.inputs,
        network=trained.network,
        inference=Inference(window=kind.window),
        outputs=kind.task.outputs,
        weights=FileRecord(file=name, sha256=hashlib.sha256(weights).hexdigest()),
        training=_record(options, DATA[trained.task]),
        evaluation=dict(figure.split("=", 1) for figure in options.figure),
    )
    path, card = export_onnx(load_package(write_card(card, folder)))
    print(json.dumps({"card": card.name, "onnx": path.name, "bytes": path.stat().st_size}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--summary", required=True)
    parser.add_argument("--procedure", required=True)
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _record(options: argparse.Namespace, data: str) -> TrainingRecord:
    """Return what the recipe says of the runs that a node goes back to."""
    recipe = read_recipe(options.recipe)
    lineage = recipe.ancestry(options.node)
    nodes = [recipe.nodes[name] for name in recipe.order([options.node]) if name in lineage]
    runs = [node for node in nodes if isinstance(node, RunNode)]
    return TrainingRecord(
        data=data,
        procedure=options.procedure,
        configuration=f"{options.recipe.as_posix()}: {options.node}",
        seed=runs[-1].configuration.seed,
        steps=sum(run.steps for run in runs),
        hours=round(sum(run.hours or 0.0 for run in runs), 1),
        hardware="; ".join(dict.fromkeys(run.hardware for run in runs)),
    )


if __name__ == "__main__":
    main()
