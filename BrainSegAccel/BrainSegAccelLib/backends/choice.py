"""Which engine is asked for: backend, precision and device, each by name or left to ``auto``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..settings import Settings
from .protocol import Device, Precision

AUTO: Literal["auto"] = "auto"

_DEVICES = (Device.CUDA, Device.CPU, Device.COREML, Device.DIRECTML)
"""In order of preference."""


class EngineChoice(Settings):
    """Which engine is asked for."""

    backend: str = Field(
        default=AUTO,
        min_length=1,
        title="Backend",
        description="auto measures; brainsegaccel info lists what runs here.",
    )
    precision: Literal["auto"] | Precision = Field(
        default=AUTO,
        title="Precision",
        description="Number format; auto: FP32 with a backend that is named, else the fastest that "
        "keeps its quality.",
    )
    device: Literal["auto"] | Device = Field(
        default=AUTO,
        title="Device",
        description="Where the network runs.",
    )

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that come into question, FP32 first."""
        return tuple(Precision) if self.precision == AUTO else (self.precision,)

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices that come into question, in order of preference."""
        return _DEVICES if self.device == AUTO else (self.device,)
