"""Everything a run needs to go on after an interruption, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..io.atomic import atomic_write
from .config import TrainingConfig


def save_checkpoint(path: Path, config: TrainingConfig, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, containers) with the digest of ``config``."""
    with atomic_write(path) as beside:
        torch.save({"config": config.digest, **state}, beside)


def load_checkpoint(path: Path, config: TrainingConfig) -> dict[str, Any]:
    """Read a checkpoint of the same configuration.

    :raises InputError: if it is missing, unreadable or belongs to another configuration.
    """
    if not path.is_file():
        raise InputError(
            "no checkpoint to resume from",
            where=str(path.parent),
            remedy="give the folder of a run that has begun, or leave out --resume",
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        digest = state["config"]
    except Exception as error:
        raise InputError("not a readable checkpoint", where=path.name) from error
    if digest != config.digest:
        raise InputError(
            f"belongs to another training configuration ({str(digest)[:12]}, "
            f"this one is {config.digest[:12]})",
            where=path.name,
            remedy="resume with the configuration, --initial, --prune, --qat, --teacher and --data "
            "that began the run, or start a new folder",
        )
    return state


def save_weights(path: Path, weights: dict[str, Tensor], config: TrainingConfig) -> None:
    """Write FP32 ``weights`` as safetensors, with the network's configuration in the header."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    header = {"network": config.network.model_dump_json(), "training": config.name}
    with atomic_write(path) as beside:
        save_file(tensors, beside, metadata=header)
