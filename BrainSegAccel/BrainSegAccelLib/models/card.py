"""The model card: what a model is, how it came to be, and the hashes that tie its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from ..errors import ModelError
from ..records import first_problem
from .card_migration import migrated
from .config import REDUCTION, GraphConfig, NetworkDescription
from .description import Inference, Inputs, Outputs
from .tasks import TaskName

LARGEST_CARD = 1 << 20
"""Bytes: what is larger is no card."""
_REMEDY = "reinstall BrainSegAccel or give another model"

_SHA256 = r"^[0-9a-f]{64}$"
Sha256 = Field(pattern=_SHA256)


class FileRecord(BaseModel):
    """A file of the model: its name, in the card's folder, and its SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="a name, not a path")
    sha256: str = Sha256


class OnnxRecord(FileRecord):
    """The export of the one static graph, tied to the weights it was made from."""

    made_from_sha256: str = Sha256
    opset: int


class CalibrationRecord(BaseModel):
    """The cases whose activations set the scales of a quantised export."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["phantoms", "cases"]
    count: int = Field(gt=0, description="inputs of the network that were run")
    seed: int | None = Field(default=None, description="of the first phantom; the others follow")
    inputs_sha256: str = Field(pattern=_SHA256, description="of all inputs in order, as float32")


class QuantisedRecord(OnnxRecord):
    """The export with INT8 convolutions, tied to the weights and to its calibration."""

    calibration: CalibrationRecord
    tool: str = Field(description="what chose the scales, with its version")
    layers: int = Field(gt=0, description="convolutions in INT8; all other layers are FP32")
    agreement_dice: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="with FP32 over all calibration inputs, mean over regions",
    )

    @property
    def digest(self) -> str:
        """Hash of all of this, for the key of engines made from it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class TrainingRecord(BaseModel):
    """Where the weights come from, in words and figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    procedure: str
    configuration: str = Field(description="configuration file of the training run")
    seed: int
    steps: int
    hours: float
    hardware: str


class ModelCard(BaseModel):
    """Everything a user has to know before trusting a model, and a run before using it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["2.0"] = "2.0"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)
    version: str
    summary: str
    intended_use: str
    licence: str
    task: TaskName
    inputs: Inputs
    network: NetworkDescription
    inference: Inference
    outputs: Outputs
    weights: FileRecord
    onnx: OnnxRecord | None = None
    quantised: QuantisedRecord | None = None
    training: TrainingRecord
    evaluation: dict[str, str] = Field(default_factory=dict, description="figures and their limits")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if isinstance(self.network, GraphConfig):
            return self
        window = self.inference.window
        # Normalisation at the bottleneck needs more than one value a channel.
        if any(side % REDUCTION for side in window) or max(window) == REDUCTION:
            raise ValueError(
                f"window {window}: sides must be multiples of {REDUCTION}, and one of them larger"
            )
        if self.inputs.availability != (self.network.kind == "hybrid"):
            takes = "no" if self.inputs.availability else "an"
            raise ValueError(f"a network of kind {self.network.kind} takes {takes} availability")
        return self

    @property
    def network_sha256(self) -> str:
        """Hash of what makes the network: its configuration, channels and activation."""
        facts = {
            "network": self.network.model_dump(mode="json"),
            "inputs": len(self.inputs.channels),
            "availability": self.inputs.availability,
            "outputs": len(self.outputs.channels),
            "activation": self.outputs.activation,
        }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_card(path: Path) -> ModelCard:
    """Read a model card; one of schema 1.0 is migrated in memory.

    :raises ModelError: if there is none, or it is not a valid card.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_CARD + 1)
    except OSError as error:
        raise ModelError(
            f"model card cannot be read ({error.strerror})", where=path.name, remedy=_REMEDY
        ) from error
    if len(content) > LARGEST_CARD:
        raise ModelError("is too large for a model card", where=path.name, remedy=_REMEDY)
    try:
        return ModelCard.model_validate(migrated(from_json(content)))
    except ValidationError as error:
        reason = first_problem(error)
    except ValueError as error:
        reason = f"document: {error}"
    raise ModelError(f"not a valid model card: {reason}", where=path.name, remedy=_REMEDY)
