"""A training run as a value: everything that decides which weights come out."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from ..errors import InputError
from ..models.config import REDUCTION, HybridConfig, UNetConfig
from ..models.tasks import TASKS, TaskName
from ..records import first_problem
from ..synthesis.lesions import CaseKind

WHOLE_BRAIN = (160, 192, 160)
"""Voxels (z, y, x) of 1 mm: the static shape of the shipped engines, which holds most brains."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

SUBSET_WEIGHTS = {
    "1000": 3.0,
    "0100": 4.0,
    "0010": 1.2,
    "0001": 1.2,
    "1100": 5.0,
    "1010": 1.0,
    "1001": 0.8,
    "0110": 1.2,
    "0101": 1.2,
    "0011": 0.8,
    "1110": 1.5,
    "1101": 1.5,
    "1011": 0.8,
    "0111": 1.2,
}
"""The subsets without T2 and FLAIR are the hard ones."""

_REFINED = (1, 2, 4)
"""Edges in mm of the voxels of synthetic brains, which are refined to those of the network."""


def _kind(network: Any) -> str:
    """Return the kind of a network's configuration; a hybrid where it does not say."""
    return str(
        network.get("kind", "hybrid") if isinstance(network, dict) else getattr(network, "kind", "")
    )


TrainedNetwork = Annotated[
    Annotated[HybridConfig, Tag("hybrid")] | Annotated[UNetConfig, Tag("unet")],
    Discriminator(_kind),
]
"""The kinds of network that can be trained."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Stage(_Frozen):
    """A part of the curriculum with one sort of sample.

    Synthetic brains are made in voxels of ``case_voxel`` mm and refined to 1 mm, heads are not
    refined; each sample is a window of ``shape`` (z, y, x) voxels: the whole brain where it fits,
    else a crop.
    """

    steps: int = Field(gt=0)
    shape: tuple[int, int, int] = WHOLE_BRAIN
    case_voxel: float = Field(default=1, gt=0, le=16)
    whole_brain: bool = True
    samples_per_case: int = Field(default=3, gt=0)
    batch_size: int = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _network_accepts_the_shape(self) -> Stage:
        if any(size <= 0 or size % REDUCTION for size in self.shape):
            raise ValueError(f"shape {self.shape}: sizes must be multiples of {REDUCTION}")
        return self


class WeightsHeader(_Frozen):
    """What the header of a weights file says of the network that they are for."""

    task: TaskName = "tumour"
    network: TrainedNetwork
    training: str = Field(default="", description="name of the run, or of what else made them")


class TrainingConfig(_Frozen):
    """See the fields. Serialise with ``model_dump_json``; ``digest`` identifies the run.

    Files that a run needs are named by their SHA-256, never by a path, so that a configuration
    means the same everywhere; the paths are given when the run starts.
    """

    name: str
    task: TaskName = Field(default="tumour", description="What the network is to find.")
    seed: int = Field(default=0, ge=0)
    network: TrainedNetwork = HybridConfig()
    stages: tuple[Stage, ...]
    workers: int = Field(default=1, ge=0, description="Processes that make cases; 0: none.")
    learning_rate: float = Field(default=2e-3, gt=0)
    final_learning_rate: float = Field(default=1e-5, ge=0)
    warm_up_steps: int = Field(default=100, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_norm: float = Field(default=2.0, gt=0)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    cross_entropy_weight: float = Field(default=6.0, ge=0)
    deep_supervision: tuple[float, float] = Field(
        default=(0.15, 0.3),
        description="Loss weights of a hybrid's outputs at 8 and 4 times the voxel.",
    )
    full_set_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of samples with all four modalities."
    )
    subset_weights: dict[str, float] = Field(
        default=SUBSET_WEIGHTS,
        description="How often each of the other subsets is drawn, by availability of t1, t1c, t2, "
        "flair.",
    )
    kind_weights: dict[CaseKind, float] = Field(
        default={},
        description="How often each kind of synthetic case is made; empty: as the generator does.",
    )
    validation_steps: int = Field(default=250, gt=0, description="Steps between validations.")
    validation_cases: int = Field(
        default=7, ge=0, description="Cases of each set that a validation looks at; 0: none."
    )
    initial_weights: Sha256 | None = Field(
        default=None, description="Weights that the run starts from; none: random ones."
    )
    initial_pruned: bool = Field(
        default=False, description="Whether those are of a larger network, and are pruned first."
    )
    teacher: Sha256 | None = Field(
        default=None,
        description="Weights of the network that the run learns from; the hash of several hashes.",
    )
    teacher_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of the teacher in the targets, the truth's: 1-."
    )
    quantisation_aware: bool = Field(
        default=False, description="Whether convolutions round as those of the INT8 export do."
    )
    own_data: Sha256 | None = Field(
        default=None, description="Labelled cases of one's own, see OwnData.sha256."
    )
    own_data_share: float = Field(
        default=0.75, ge=0, le=1, description="Share of own cases, the synthetic ones': 1-."
    )
    held_out_share: float = Field(
        default=0.2, ge=0, lt=1, description="Share of own cases kept for validation."
    )

    @field_validator("subset_weights")
    @classmethod
    def _subsets_are_subsets(cls, weights: dict[str, float]) -> dict[str, float]:
        for subset, weight in weights.items():
            if subset not in SUBSET_WEIGHTS:
                raise ValueError(f"{subset!r}: a subset is four flags such as 0111, some 1, some 0")
            if not 0 <= weight < math.inf:
                raise ValueError(f"{subset}: a weight must not be negative, {weight} given")
        if not sum(weights.values()) > 0:
            raise ValueError("no subset would ever be drawn: give one a weight above 0")
        return weights

    @field_validator("kind_weights")
    @classmethod
    def _kinds_can_be_drawn(cls, weights: dict[CaseKind, float]) -> dict[CaseKind, float]:
        for kind, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"{kind}: a weight must not be negative, {weight} given")
        if weights and not sum(weights.values()) > 0:
            raise ValueError("no kind of case would ever be made: give one a weight above 0")
        return weights

    @model_validator(mode="after")
    def _fits_the_task(self) -> Self:
        knows_what_is_there = self.network.kind == "hybrid"
        if TASKS[self.task].inputs.availability != knows_what_is_there:
            raise ValueError(f"network: a {self.network.kind} does not take what {self.task} gives")
        if self.task == "tumour":
            for stage in self.stages:
                if stage.case_voxel not in _REFINED:
                    raise ValueError(
                        f"case_voxel {stage.case_voxel:g}: brains are made in voxels of "
                        f"{', '.join(map(str, _REFINED))} mm"
                    )
        return self

    @property
    def subsets(self) -> dict[str, float]:
        """Probabilities of all fifteen subsets."""
        total = sum(self.subset_weights.values())
        rest = 1 - self.full_set_share
        others = {subset: rest * weight / total for subset, weight in self.subset_weights.items()}
        return {"1111": self.full_set_share, **others}

    @property
    def steps(self) -> int:
        """Optimiser steps over all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def header(self) -> WeightsHeader:
        """What the weights of the run say of their network."""
        return WeightsHeader(task=self.task, network=self.network, training=self.name)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def with_given(self, field: str, sha256: str | None, option: str) -> TrainingConfig:
        """Return the configuration with the hash of files that were given.

        :param field: ``initial_weights``, ``teacher`` or ``own_data``.
        :param sha256: of what was given; None if nothing was.
        :param option: where users give it, for messages.
        :raises InputError: the configuration names other files, or some that were not given.
        """
        named = getattr(self, field)
        if named is not None and named != sha256:
            found = f"{sha256[:12]}… was given" if sha256 else "none was given"
            raise InputError(
                f"the configuration asks for what has SHA-256 {named[:12]}…, {found}",
                where=option,
                remedy=f"give that with {option}",
            )
        return self.model_copy(update={field: sha256})


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
        raise InputError(first_problem(error), where=path.name) from error
