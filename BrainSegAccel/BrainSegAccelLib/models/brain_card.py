"""The brain network as it is shipped: card, hashes, and how it is opened without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ModelError
from ..records import first_problem
from ..resources import resource
from .card import FileRecord, OnnxRecord, TrainingRecord
from .package import checked_content

CARD = "brain.card.json"
_REINSTALL = "reinstall BrainSegAccel"


class BrainNetworkConfig(BaseModel):
    """Channels at 2, 4, 8 and 16 times the input's voxel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, int, int, int] = (16, 24, 32, 48)


class BrainCard(BaseModel):
    """What the brain network is, how it came to be, and the hashes of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1.0"] = "1.0"
    name: str
    version: str
    summary: str
    licence: str
    network: BrainNetworkConfig
    shape: tuple[int, int, int] = Field(description="static (D, H, W) = (z, y, x) of the export")
    voxel: float = Field(gt=0, description="edge of its voxels in mm")
    weights: FileRecord
    onnx: OnnxRecord
    training: TrainingRecord
    evaluation: dict[str, str] = Field(default_factory=dict, description="figures and their limits")


@dataclass(frozen=True)
class BrainPackage:
    """The card of a brain network and the folder in which its files lie."""

    card: BrainCard
    folder: Path

    def weights(self) -> bytes:
        """Return the safetensors file.

        :raises ModelError: it is missing or of another hash.
        """
        return checked_content(self.folder, self.card.weights)

    def onnx(self) -> bytes:
        """Return the ONNX export.

        :raises ModelError: it is missing, of another hash, or made from other weights.
        """
        if self.card.onnx.made_from_sha256 != self.card.weights.sha256:
            raise ModelError(
                "was made from other weights", where=self.card.onnx.file, remedy=_REINSTALL
            )
        return checked_content(self.folder, self.card.onnx)


def load_brain_package(folder: Path | None = None) -> BrainPackage:
    """Open the brain network in ``folder``; default: the one that ships.

    :raises ModelError: there is no valid card.
    """
    folder = folder or resource("BrainNetwork")
    try:
        card = BrainCard.model_validate_json((folder / CARD).read_bytes())
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror})", where=CARD, remedy=_REINSTALL
        ) from error
    except ValidationError as error:
        raise ModelError(
            f"not a valid card: {first_problem(error)}", where=CARD, remedy=_REINSTALL
        ) from error
    return BrainPackage(card, folder)
