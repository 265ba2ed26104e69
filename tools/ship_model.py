"""Make a finished training run a shipped model: weights, model card and ONNX export.

    python tools/ship_model.py TRAINING_FOLDER --name full --version 0.1.0 \
        --hours 1.2 --hardware "2 cores of an x86-64 server CPU with AMX"

The training folder holds ``weights.safetensors`` and ``training.json``. Weights are stored in FP16,
the network computes in FP32. Figures of an evaluation, made with the stored weights, are added to
the card by ``--figure NAME=VALUE``.
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
from BrainSegAccelLib.models.tasks import TUMOUR
from BrainSegAccelLib.models.weights import parse_weights
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.training.config import TrainingConfig
from safetensors.torch import save

SHAPE = (160, 192, 160)
INTENDED_USE = (
    "Research on brain tumour segmentation in MR. Not a medical device: not for diagnosis, "
    "treatment planning or any other clinical decision."
)
DATA = (
    "Synthetic cases only: anatomy from the ICBM152 2009a tissue maps under random deformation, "
    "procedural tumours and scanner effects. No patient image was used for training."
)


def main() -> None:
    """Write the model's files into the resources of the library."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--summary", required=True)
    parser.add_argument("--procedure", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    training = TrainingConfig.model_validate_json((options.folder / "training.json").read_bytes())
    trained = parse_weights(
        (options.folder / "weights.safetensors").read_bytes(), "weights.safetensors"
    )
    weights = save({key: tensor.half().contiguous() for key, tensor in trained.items()})
    folder = resource("Models")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{options.name}.safetensors"
    (folder / name).write_bytes(weights)
    card = ModelCard(
        name=options.name,
        version=options.version,
        summary=options.summary,
        intended_use=INTENDED_USE,
        licence="Apache-2.0",
        task=TUMOUR.name,
        inputs=TUMOUR.inputs,
        network=training.network,
        inference=Inference(window=SHAPE),
        outputs=TUMOUR.outputs,
        weights=FileRecord(file=name, sha256=hashlib.sha256(weights).hexdigest()),
        training=TrainingRecord(
            data=DATA,
            procedure=options.procedure,
            configuration=f"BrainSegAccelLib/training/configs/{training.name}.json",
            seed=training.seed,
            steps=options.steps,
            hours=options.hours,
            hardware=options.hardware,
        ),
        evaluation=dict(figure.split("=", 1) for figure in options.figure),
    )
    path, card = export_onnx(load_package(write_card(card, folder)))
    print(json.dumps({"card": card.name, "onnx": path.name, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    main()
