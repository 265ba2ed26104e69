"""The model card: what a model is, how it came to be, and the hashes that tie its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ModelError
from .config import NetworkConfig
from .description import Outputs
from .tumour_outputs import tumour_outputs

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
    """Everything a user has to know before trusting a model, and a loader before opening it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1.0"] = "1.0"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str
    summary: str
    intended_use: str
    licence: str
    network: NetworkConfig
    shape: tuple[int, int, int] = Field(
        description="static (D, H, W) = (z, y, x) of the export, voxels of 1 mm"
    )
    weights: FileRecord
    onnx: OnnxRecord | None = None
    quantised: QuantisedRecord | None = None
    training: TrainingRecord
    evaluation: dict[str, str] = Field(default_factory=dict, description="figures and their limits")

    @property
    def outputs(self) -> Outputs:
        """What the network says, and how labels are made of it."""
        return tumour_outputs()

    @property
    def network_sha256(self) -> str:
        """Hash of the network configuration."""
        text = json.dumps(self.network.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_card(path: Path) -> ModelCard:
    """Read a model card.

    :raises ModelError: if there is none, or it is not a valid card.
    """
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"model card cannot be read ({error.strerror})",
            where=path.name,
            remedy="reinstall BrainSegAccel or give another model",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"]) or "document"
        raise ModelError(
            f"not a valid model card: {at}: {first['msg']}",
            where=path.name,
            remedy="reinstall BrainSegAccel or give another model",
        ) from error
