"""Make a finished training run the shipped brain network: weights, card and ONNX export.

    python tools/ship_brain_network.py TRAINING_FOLDER --version 1.0.0 --hours 0.7 \
        --hardware "1 core of an x86-64 server CPU with AMX"

The training folder holds ``weights.safetensors`` and ``training.json``. Weights are stored in FP16,
the network computes in FP32. Figures are added to the card by ``--figure NAME=VALUE``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from BrainSegAccelLib.io.atomic import atomic_write
from BrainSegAccelLib.models.brain import BrainNetwork, BrainProbability
from BrainSegAccelLib.models.brain_card import CARD, BrainCard
from BrainSegAccelLib.models.card import FileRecord, OnnxRecord, TrainingRecord
from BrainSegAccelLib.models.export import OPSET, static_onnx
from BrainSegAccelLib.models.weights import parse_weights
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.training.brain_training import BrainTrainingConfig
from safetensors.torch import save

DATA = (
    "Synthetic heads only: anatomy from the ICBM152 2009a tissue maps under random deformation, "
    "procedural skull, scalp, face and neck, procedural tumours, random contrast and scanner "
    "effects. No patient image was used for training."
)


def main() -> None:
    """Write the network's files into the resources of the library."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--output", type=Path, default=resource("BrainNetwork"))
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    config = BrainTrainingConfig.model_validate_json(
        (options.folder / "training.json").read_bytes()
    )
    trained = parse_weights(
        (options.folder / "weights.safetensors").read_bytes(), "weights.safetensors"
    )
    halved = {key: tensor.half().contiguous() for key, tensor in trained.items()}
    network = BrainNetwork(config.network)
    network.load_state_dict({key: tensor.float() for key, tensor in halved.items()})
    example = (torch.zeros(1, 1, *config.shape),)
    files = {
        "brain.safetensors": save(halved),
        "brain.onnx": static_onnx(BrainProbability(network).eval(), example, ["x"], "probability"),
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    card = BrainCard(
        name="brain",
        version=options.version,
        summary="Brain mask from one MR image of a head, any sequence; for brain extraction only.",
        licence="Apache-2.0",
        network=config.network,
        shape=config.shape,
        voxel=config.voxel,
        weights=FileRecord(file="brain.safetensors", sha256=digests["brain.safetensors"]),
        onnx=OnnxRecord(
            file="brain.onnx",
            sha256=digests["brain.onnx"],
            made_from_sha256=digests["brain.safetensors"],
            opset=OPSET,
        ),
        training=TrainingRecord(
            data=DATA,
            procedure=f"{config.images_per_head} images of a new head a step, AdamW, cosine, "
            f"averaged weights, {config.precision}",
            configuration=f"{config.name}: BrainTrainingConfig in BrainSegAccelLib/training, its "
            "defaults but for seed and steps",
            seed=config.seed,
            steps=config.steps,
            hours=options.hours,
            hardware=options.hardware,
        ),
        evaluation=dict(figure.split("=", 1) for figure in options.figure),
    )
    files[CARD] = (card.model_dump_json(indent=2) + "\n").encode()
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_write(options.output / name) as beside:
            beside.write_bytes(content)
        print(f"{name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
