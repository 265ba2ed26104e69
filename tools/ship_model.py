"""Make a finished training run a shipped model: weights, model card and ONNX export.

    python tools/ship_model.py TRAINING_FOLDER --name full --version 0.1.0 --summary TEXT \
        --procedure TEXT --steps 900 --hours 1.2 --hardware "2 cores of an x86-64 server CPU"

The training folder holds ``weights.safetensors`` and ``training.json``. Weights are stored in FP16,
the network computes in FP32. Figures of an evaluation, made with the stored weights, are added to
the card by ``--figure NAME=VALUE``. ``--task brain`` ships a network that finds the brain.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from BrainSegAccelLib.models.card import FileRecord, ModelCard, TrainingRecord
from BrainSegAccelLib.models.config import HybridConfig, UNetConfig
from BrainSegAccelLib.models.description import Inference, Shape
from BrainSegAccelLib.models.export import export_onnx, write_card
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.models.tasks import TASKS
from BrainSegAccelLib.models.weights import parse_weights
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.training.brain_training import BrainTrainingConfig
from BrainSegAccelLib.training.config import TrainingConfig
from safetensors.torch import save

WINDOW = (160, 192, 160)
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
    network, window, seed, configuration = _trained(options.folder, options.task)
    trained = parse_weights(
        (options.folder / "weights.safetensors").read_bytes(), "weights.safetensors"
    )
    weights = save({key: tensor.half().contiguous() for key, tensor in trained.items()})
    folder = resource("Models")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{options.name}.safetensors"
    (folder / name).write_bytes(weights)
    task = TASKS[options.task]
    card = ModelCard(
        name=options.name,
        version=options.version,
        summary=options.summary,
        intended_use=INTENDED_USE[task.name],
        licence="Apache-2.0",
        task=task.name,
        inputs=task.inputs,
        network=network,
        inference=Inference(window=window),
        outputs=task.outputs,
        weights=FileRecord(file=name, sha256=hashlib.sha256(weights).hexdigest()),
        training=TrainingRecord(
            data=DATA[task.name],
            procedure=options.procedure,
            configuration=configuration,
            seed=seed,
            steps=options.steps,
            hours=options.hours,
            hardware=options.hardware,
        ),
        evaluation=dict(figure.split("=", 1) for figure in options.figure),
    )
    path, card = export_onnx(load_package(write_card(card, folder)))
    print(json.dumps({"card": card.name, "onnx": path.name, "bytes": path.stat().st_size}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", choices=sorted(TASKS), default="tumour")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--summary", required=True)
    parser.add_argument("--procedure", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _trained(folder: Path, task: str) -> tuple[HybridConfig | UNetConfig, Shape, int, str]:
    """Return what ``training.json`` says: network, window, seed, and where its settings lie."""
    document = (folder / "training.json").read_bytes()
    if task == "brain":
        brain = BrainTrainingConfig.model_validate_json(document)
        return (
            brain.network,
            brain.shape,
            brain.seed,
            f"{brain.name}: BrainTrainingConfig in BrainSegAccelLib/training, its defaults but for "
            "seed and steps",
        )
    tumour = TrainingConfig.model_validate_json(document)
    configuration = f"BrainSegAccelLib/training/configs/{tumour.name}.json"
    return tumour.network, WINDOW, tumour.seed, configuration


if __name__ == "__main__":
    main()
