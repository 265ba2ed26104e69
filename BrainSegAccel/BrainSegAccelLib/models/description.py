"""What a model takes, is, does and says: the parts of a model card that a run goes by."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..study.label_scheme import LabelScheme, Region
from ..study.modality import Modality
from .config import NetworkConfig

BACKGROUND_CHANNEL = "background"

LOWEST_THRESHOLD = 0.05
"""Where tumour is less probable than this, nothing is kept: no threshold is lower."""

_Threshold = Annotated[float, Field(ge=LOWEST_THRESHOLD, le=1)]
_Side = Annotated[int, Field(ge=1, le=1024)]
_Voxel = Annotated[float, Field(gt=0.05, le=25)]
_Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Channel(_Part):
    """One channel of the network's input."""

    modality: Modality | Literal["any"] = Field(description="any: whichever volume is given")
    required: bool = Field(default=False, description="whether the network cannot do without it")


class ZScore(_Part):
    """Clip to percentiles, subtract the mean, divide by the standard deviation; all over the brain.

    What lies outside of the brain, or is not shown, is zero.
    """

    name: Literal["z-score"] = "z-score"
    percentiles: tuple[_Percent, _Percent] = (0.5, 99.5)
    remove_shading: bool = Field(
        default=True, description="whether broad shading is divided out before"
    )


class UnitRange(_Part):
    """Clip to percentiles of the whole block and bring these to 0 and 1."""

    name: Literal["unit-range"] = "unit-range"
    percentiles: tuple[_Percent, _Percent] = (0.5, 99.5)


Normaliser = Annotated[ZScore | UnitRange, Field(discriminator="name")]


class Inputs(_Part):
    """What the network is given: float32 [1, C, D, H, W]."""

    channels: tuple[Channel, ...] = Field(min_length=1, max_length=16)
    axes: Literal["SPL"] = Field(
        default="SPL", description="towards which D, H and W run in patient space"
    )
    spacing_mm: tuple[_Voxel, _Voxel, _Voxel] = Field(description="along D, H and W")
    normaliser: Normaliser
    availability: bool = Field(
        description="whether a second input, float32 [1, C], says which channels are there"
    )

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that have a channel, in its order."""
        return tuple(Modality(c.modality) for c in self.channels if c.modality != "any")

    @model_validator(mode="after")
    def _each_modality_once(self) -> Self:
        if len(set(self.modalities)) != len(self.modalities):
            raise ValueError(f"a modality has two channels: {self.modalities}")
        return self


class Hybrid(_Part):
    """Convolutions and state-space blocks: `hybrid.HybridNetwork`, built from its configuration."""

    kind: Literal["hybrid"] = "hybrid"
    configuration: NetworkConfig


class UNet(_Part):
    """A small U-Net, the brain network's: `brain.BrainNetwork`."""

    kind: Literal["unet"] = "unet"
    widths: tuple[int, int, int, int] = Field(
        default=(16, 24, 32, 48), description="channels at 2, 4, 8 and 16 times the input's voxel"
    )


class Graph(_Part):
    """A graph in ONNX and nothing else is known of it: no backend on PyTorch runs it."""

    kind: Literal["graph"] = "graph"


NetworkDescription = Annotated[Hybrid | UNet | Graph, Field(discriminator="kind")]


class Inference(_Part):
    """How the network is run over a volume that is larger than its window."""

    window: tuple[_Side, _Side, _Side] = Field(description="static (D, H, W) = (z, y, x), voxels")
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.25, description="smallest share of a window that its neighbour covers too"
    )
    importance_map: Literal["triangular", "gaussian", "constant"] = Field(
        default="triangular", description="weight of a voxel by its place in the window"
    )
    mirrored_axes: tuple[Literal[0, 1, 2], ...] = Field(
        default=(), description="axes of (D, H, W) along which mirrored passes are averaged"
    )
    members: int = Field(default=1, ge=1, le=16, description="networks whose outputs are averaged")


class Outputs(_Part):
    """What the network says: [1, C, D, H, W], and how labels are made of it."""

    activation: Literal["sigmoid", "softmax"] = Field(
        description="sigmoid: a channel is a region; softmax: a channel is a label or background"
    )
    channels: tuple[str, ...] = Field(
        min_length=1, max_length=64, description="identifiers of regions or labels"
    )
    scheme: LabelScheme
    nested: bool = Field(
        default=True, description="sigmoid: whether a region counts only within its parent"
    )
    thresholds: dict[str, _Threshold] = Field(
        default_factory=dict, description="by region, the model's own; 0.5 where none is given"
    )
    smallest_lesion_ml: float = Field(
        default=0.0, ge=0, description="connected parts of less volume are removed"
    )
    peak_odds: float = Field(
        default=1.0,
        ge=1,
        description="how many times the threshold's odds the surest voxel of a part must have",
    )

    @model_validator(mode="after")
    def _channels_are_of_the_scheme(self) -> Self:
        if self.activation == "sigmoid":
            self.scheme.painted()
            known = {region.identifier for region in self.scheme.regions}
        else:
            known = {label.identifier for label in self.scheme.labels} | {BACKGROUND_CHANNEL}
        if set(self.channels) != known or len(self.channels) != len(known):
            raise ValueError(f"channels {self.channels} are not those of the scheme: {known}")
        if not self.thresholds.keys() <= {region.identifier for region in self.scheme.regions}:
            raise ValueError(f"thresholds of regions that are none: {sorted(self.thresholds)}")
        return self

    def threshold(self, region: Region) -> float:
        """Return the threshold that the model comes with for a region."""
        return self.thresholds.get(region.identifier, 0.5)
