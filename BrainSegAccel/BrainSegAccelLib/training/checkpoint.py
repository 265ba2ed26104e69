"""Everything a run needs to go on after an interruption, written whole or not at all."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, RunError
from ..io.atomic import atomic_write
from ..io.sealed import read_sealed, write_sealed
from .config import TrainingConfig, WeightsHeader

KIND = "checkpoint"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "config": str,
    "model": dict,
    "average": dict,
    "optimiser": dict,
    "schedule": dict,
    "random": Tensor,
    "random_cuda": (Tensor, type(None)),
    "step": int,
    "seconds": float,
}
_WEIGHTS = ("model", "average", "optimiser")


def save_checkpoint(path: Path, config: TrainingConfig, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, containers) with the digest of ``config``.

    :raises RunError: a weight is NaN or infinite; what was there before stays.
    """
    if where := _not_finite(state):
        raise RunError(
            f"{where} holds values that are NaN or infinite after {state['step']} steps",
            where=path.parent.name,
            remedy="lower learning_rate; the last checkpoint is from before",
        )
    file = io.BytesIO()
    torch.save({"config": config.digest, **state}, file)
    write_sealed(path, KIND, file.getvalue())


def load_checkpoint(path: Path, config: TrainingConfig) -> dict[str, Any]:
    """Read a checkpoint of the same configuration.

    :raises InputError: it is missing, damaged, holds something else than a checkpoint should, or
        belongs to another configuration.
    """
    if not path.is_file():
        raise InputError(
            "no checkpoint to resume from",
            where=str(path.parent),
            remedy="give the folder of a run that has begun, or leave out --resume",
        )
    try:
        state = torch.load(
            io.BytesIO(read_sealed(path, KIND)), map_location="cpu", weights_only=True
        )
    except InputError:
        raise
    except Exception as error:  # Whatever unpickling raises of content that is no checkpoint.
        raise InputError("not a readable checkpoint", where=path.name) from error
    _check(state, path.name)
    if state["config"] != config.digest:
        raise InputError(
            f"belongs to another training configuration ({state['config'][:12]}, "
            f"this one is {config.digest[:12]})",
            where=path.name,
            remedy="resume with the configuration, --initial, --prune, --qat, --teacher and --data "
            "that began the run, or start a new folder",
        )
    if not (0 <= state["step"] <= config.steps and 0 <= state["seconds"] < math.inf):
        raise InputError("not a checkpoint: its step or time is none", where=path.name)
    return state


def save_weights(path: Path, weights: Mapping[str, Tensor], header: WeightsHeader) -> None:
    """Write ``weights`` as safetensors, with what they are for in the file's header."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    metadata = {
        "network": header.network.model_dump_json(),
        "task": header.task,
        "training": header.training,
    }
    with atomic_write(path) as beside:
        save_file(tensors, beside, metadata=metadata)


def _check(state: object, name: str) -> None:
    if not isinstance(state, dict) or state.keys() != _TYPES.keys():
        raise InputError("not a checkpoint: it has other parts", where=name)
    for part, kind in _TYPES.items():
        if not isinstance(state[part], kind):
            raise InputError(
                f"not a checkpoint: {part} is a {type(state[part]).__name__}", where=name
            )
    if where := _not_finite(state):
        raise InputError(
            f"{where} holds values that are NaN or infinite",
            where=name,
            remedy="begin the run anew, with a lower learning_rate",
        )


def _not_finite(state: Mapping[str, Any]) -> str | None:
    """Return the name of a tensor with a value that is NaN or infinite."""
    for part in _WEIGHTS:
        for name, tensor in _tensors(state[part], part):
            if tensor.is_floating_point() and not tensor.isfinite().all():
                return name
    return None


def _tensors(value: object, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _tensors(inner, f"{name}.{index}")
