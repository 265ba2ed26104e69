"""A training run as a value: everything that decides which weights come out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError
from ..network.config import REDUCTION, NetworkConfig


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(_Frozen):
    """A part of the curriculum with one sort of sample.

    Cases are made in voxels of ``case_voxel`` mm and refined to 1 mm; each sample is a window of
    ``shape`` (z, y, x) voxels: the whole brain where it fits, else a crop.
    """

    steps: int = Field(gt=0)
    shape: tuple[int, int, int] = (160, 192, 160)
    case_voxel: int = Field(default=1, ge=1, le=4)
    whole_brain: bool = True
    samples_per_case: int = Field(default=3, gt=0)
    batch_size: int = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _network_accepts_the_shape(self) -> Stage:
        if any(size <= 0 or size % REDUCTION for size in self.shape):
            raise ValueError(f"shape {self.shape}: sizes must be multiples of {REDUCTION}")
        return self


class TrainingConfig(_Frozen):
    """See the fields. Serialise with ``model_dump_json``; ``digest`` identifies the run."""

    name: str
    seed: int = 0
    network: NetworkConfig = NetworkConfig()
    stages: tuple[Stage, ...]
    workers: int = Field(default=1, ge=0, description="Processes that make cases; 0: none.")
    learning_rate: float = Field(default=2e-3, gt=0)
    final_learning_rate: float = Field(default=1e-5, gt=0)
    warm_up_steps: int = Field(default=100, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_norm: float = Field(default=2.0, gt=0)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    cross_entropy_weight: float = Field(default=6.0, ge=0)
    deep_supervision: tuple[float, float] = Field(
        default=(0.15, 0.3), description="Loss weights of the heads at 8 and 4 mm."
    )
    full_set_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of samples with all four modalities."
    )
    validation_cases: int = Field(default=5, ge=0)

    @property
    def steps(self) -> int:
        """Optimiser steps over all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_config(path: Path) -> TrainingConfig:
    """Read a training configuration from JSON.

    :raises InputError: if it cannot be read or does not validate.
    """
    try:
        return TrainingConfig.model_validate_json(path.read_text())
    except OSError as error:
        raise InputError(
            f"cannot read the training configuration: {error.strerror}", where=path.name
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{place}: {first['msg']}", where=path.name) from error
