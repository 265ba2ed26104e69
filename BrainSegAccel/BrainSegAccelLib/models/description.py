"""What a model takes, how it is run and what it says: the parts of a card that a run goes by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..study.label_scheme import LabelScheme, Region
from ..study.modality import Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int, int, int]
"""Spatial shape (D, H, W) = (z, y, x), in voxels of the network."""
BACKGROUND_CHANNEL = "background"
LOWEST_THRESHOLD = 0.05
"""Where tumour is less probable than this, nothing is kept: no threshold is lower."""
LARGEST_WINDOW = 1 << 25
"""Voxels: 322 along each side, seven times the whole-brain window."""
ANY: Literal["any"] = "any"
"""Modality of a channel that takes whichever volume is given."""

_Side = Annotated[int, Field(ge=1, le=1024)]
_Voxel = Annotated[float, Field(ge=0.1, le=25)]
_Percent = Annotated[float, Field(ge=0, le=100)]
_Threshold = Annotated[float, Field(ge=LOWEST_THRESHOLD, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Channel(_Part):
    """One channel of the network's input."""

    modality: Modality | Literal["any"] = Field(description="any: whichever volume is given")
    required: bool = Field(default=False, description="whether the network cannot do without it")


class _Normaliser(_Part):
    name: str
    percentiles: tuple[_Percent, _Percent] = (0.5, 99.5)

    @model_validator(mode="after")
    def _percentiles_rise(self) -> Self:
        if not self.percentiles[0] < self.percentiles[1]:
            raise ValueError(f"percentiles {self.percentiles}: the second must be the larger")
        return self


class ZScore(_Normaliser):
    """Clip to percentiles, subtract the mean, divide by the standard deviation; all over the brain.

    What lies outside of the brain, or is not shown, is zero.
    """

    name: Literal["z-score"] = "z-score"
    remove_shading: bool = Field(
        default=True, description="whether broad shading is divided out before"
    )


class UnitRange(_Normaliser):
    """Clip to percentiles of the whole block and bring these to 0 and 1."""

    name: Literal["unit-range"] = "unit-range"


ImportanceMap = Literal["triangular", "gaussian", "constant"]
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
        """The modalities that have a channel, in its order; none of a model that takes any."""
        return tuple(Modality(c.modality) for c in self.channels if c.modality != ANY)

    @property
    def required(self) -> tuple[Modality, ...]:
        """The modalities without which the network cannot do."""
        return tuple(
            Modality(c.modality) for c in self.channels if c.required and c.modality != ANY
        )

    def feed(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """Return what the network is given, in the order of its inputs.

        :param x: float32 (1, C, D, H, W).
        :param availability: float32 (1, C); default: all channels are there.
        """
        import numpy as np

        if not self.availability:
            return (x,)
        return x, np.ones(x.shape[:2], np.float32) if availability is None else availability

    @model_validator(mode="after")
    def _each_modality_once(self) -> Self:
        given = [channel.modality for channel in self.channels]
        if len(set(given)) != len(given):
            raise ValueError(f"a modality has two channels: {', '.join(given)}")
        if ANY in given and len(given) > 1:
            raise ValueError("a channel of any modality must be the only one")
        return self


class Inference(_Part):
    """How the network is run over a volume that is larger than its window."""

    window: tuple[_Side, _Side, _Side] = Field(description="static (D, H, W) = (z, y, x), voxels")
    overlap: Annotated[float, Field(ge=0, le=0.9)] = Field(
        default=0.25, description="smallest share of a window that its neighbour covers too"
    )
    importance_map: ImportanceMap = Field(
        default="triangular", description="weight of a voxel by its place in the window"
    )
    mirrored_axes: tuple[Literal[0, 1, 2], ...] = Field(
        default=(), description="axes of (D, H, W) along which mirrored passes are averaged"
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if math.prod(self.window) > LARGEST_WINDOW:
            raise ValueError(f"window {self.window} has more than {LARGEST_WINDOW} voxels")
        if len(set(self.mirrored_axes)) != len(self.mirrored_axes):
            raise ValueError(f"mirrored_axes {self.mirrored_axes}: an axis stands twice")
        return self


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
        default=0.0, ge=0, le=1000, description="connected parts of less volume are removed"
    )
    peak_odds: float = Field(
        default=1.0,
        ge=1,
        le=1e6,
        description="how many times the threshold's odds the surest voxel of a part must have",
    )

    @model_validator(mode="after")
    def _channels_are_of_the_scheme(self) -> Self:
        if self.activation == "sigmoid":
            self.scheme.painted()
            known = [region.identifier for region in self.scheme.regions]
        else:
            known = [BACKGROUND_CHANNEL, *(label.identifier for label in self.scheme.labels)]
        if sorted(self.channels) != sorted(known):
            raise ValueError(
                f"channels {', '.join(self.channels)} are not those of the label scheme: "
                f"{', '.join(known)}"
            )
        strange = self.thresholds.keys() - {region.identifier for region in self.scheme.regions}
        if strange:
            raise ValueError(f"thresholds of regions that are none: {', '.join(sorted(strange))}")
        return self

    def threshold(self, region: Region) -> float:
        """Return the threshold that the model comes with for a region."""
        return self.thresholds.get(region.identifier, 0.5)
