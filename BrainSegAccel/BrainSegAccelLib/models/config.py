"""The kinds of network, each with its configuration as a value that travels with its weights."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REDUCTION = 16
"""Every spatial size must be a multiple of this: four halvings lie between input and bottleneck."""

# Far above what is of use: they keep a damaged card from asking for more memory than there is.
_Width = Annotated[int, Field(ge=1, le=512)]
_Blocks = Annotated[int, Field(ge=0, le=8)]


class _Network(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HybridConfig(_Network):
    """Convolutions and state-space blocks: :class:`~BrainSegAccelLib.models.hybrid.HybridNetwork`.

    Per-scale tuples run from fine to coarse: 2, 4, 8 and 16 times the voxel of the input.
    """

    kind: Literal["hybrid"] = "hybrid"
    widths: tuple[_Width, _Width, _Width, _Width] = (24, 48, 96, 144)
    encoder_blocks: tuple[_Blocks, _Blocks, _Blocks, _Blocks] = (1, 2, 1, 1)
    ssd_blocks: tuple[_Blocks, _Blocks] = Field(
        default=(2, 3), description="Bidirectional SSD blocks at the two coarsest scales."
    )
    token_mixer: Literal["ssd", "convolution"] = Field(
        default="ssd",
        description="What those blocks are: SSD, or for the ablation residual convolutions.",
    )
    head_width: int = Field(default=16, ge=1, le=512, description="Channels of one SSD head.")
    state_width: int = Field(
        default=16, ge=1, le=256, description="State size N of the recurrence."
    )
    chunk_length: int = Field(
        default=80,
        ge=1,
        le=1024,
        description="Tokens per chunk; 80 divides 9600 and 1200, so no padding.",
    )
    head_bias: float = Field(
        default=-3.0,
        ge=-20,
        le=20,
        description="Initial logit: regions are rare, so start from about 5 %.",
    )

    @model_validator(mode="after")
    def _heads_fit_the_widths(self) -> Self:
        for width in self.widths[2:]:
            if width % self.head_width:
                raise ValueError(
                    f"widths: {width} channels do not split into heads of {self.head_width}"
                )
        return self


class UNetConfig(_Network):
    """A small U-Net: :class:`~BrainSegAccelLib.models.unet.UNet`."""

    kind: Literal["unet"] = "unet"
    widths: tuple[_Width, _Width, _Width, _Width] = Field(
        default=(16, 24, 32, 48), description="channels at 2, 4, 8 and 16 times the input's voxel"
    )


class GraphConfig(_Network):
    """A graph in ONNX, of which nothing else is known: no backend on PyTorch runs it."""

    kind: Literal["graph"] = "graph"


NetworkDescription = Annotated[HybridConfig | UNetConfig | GraphConfig, Field(discriminator="kind")]
