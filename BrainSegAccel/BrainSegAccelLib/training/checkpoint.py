"""Everything a run needs to go on after an interruption, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.training.config import TrainingConfig


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make a file beside ``path``, then rename it over ``path``."""
    beside = path.with_name(f".{path.name}.part")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def save_checkpoint(path: Path, config: TrainingConfig, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, containers) with the digest of ``config``."""
    replace_atomically(path, lambda file: torch.save({"config": config.digest, **state}, file))


def load_checkpoint(path: Path, config: TrainingConfig) -> dict[str, Any]:
    """Read a checkpoint of the same configuration.

    :raises InputError: if it is missing, unreadable or belongs to another configuration.
    """
    if not path.is_file():
        raise InputError("no checkpoint to resume from", where=path.name)
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
            remedy="resume with the configuration that began the run, or start a new folder",
        )
    return state


def save_weights(path: Path, weights: dict[str, Tensor], config: TrainingConfig) -> None:
    """Write FP32 ``weights`` as safetensors, with the network's configuration in the header."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    header = {"network": config.network.model_dump_json(), "training": config.name}
    replace_atomically(path, lambda file: save_file(tensors, file, metadata=header))
