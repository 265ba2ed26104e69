"""The network's shape as a value that travels with its weights."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MODALITY_CHANNELS = 4
REGION_CHANNELS = 3
REDUCTION = 16
"""Every spatial size must be a multiple of this: four halvings lie between input and bottleneck."""


class NetworkConfig(BaseModel):
    """Hyper-parameters of :class:`~BrainSegAccelLib.models.hybrid.HybridNetwork`.

    Per-scale tuples run from fine to coarse: 2, 4, 8 and 16 mm for a 1 mm input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, int, int, int] = (24, 48, 96, 144)
    encoder_blocks: tuple[int, int, int, int] = (1, 2, 1, 1)
    ssd_blocks: tuple[int, int] = Field(
        default=(2, 3), description="Bidirectional SSD blocks at the 8 and the 16 mm scale."
    )
    token_mixer: Literal["ssd", "convolution"] = Field(
        default="ssd",
        description="What those blocks are: SSD, or for the ablation residual convolutions.",
    )
    head_width: int = Field(default=16, gt=0, description="Channels of one SSD head.")
    state_width: int = Field(default=16, gt=0, description="State size N of the recurrence.")
    chunk_length: int = Field(
        default=80, gt=0, description="Tokens per chunk; 80 divides 9600 and 1200, so no padding."
    )
    head_bias: float = Field(
        default=-3.0, description="Initial logit: regions are rare, so start from about 5 %."
    )

    @model_validator(mode="after")
    def _heads_fit_the_widths(self) -> NetworkConfig:
        for width in self.widths[2:]:
            if width % self.head_width:
                raise ValueError(
                    f"widths: {width} channels do not split into heads of {self.head_width}"
                )
        return self
