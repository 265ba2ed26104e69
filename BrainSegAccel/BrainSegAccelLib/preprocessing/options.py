"""What a user may ask of preprocessing."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ..settings import Settings


class RegistrationMode(StrEnum):
    """When modalities are registered onto the reference; ``auto``: where they do not agree yet."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class BrainExtraction(StrEnum):
    """When the brain is looked for in the reference; ``auto``: where it shows more than that."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class PreprocessingOptions(Settings):
    """What a user may ask of preprocessing."""

    registration: RegistrationMode = Field(
        default=RegistrationMode.AUTO,
        title="Registration",
        description="Register the volumes onto one another; auto: those that do not agree yet.",
    )
    bias_correction: bool = Field(
        default=False,
        title="Bias field correction",
        description="Take slow changes of brightness out of every modality (N4).",
    )
    brain_extraction: BrainExtraction = Field(
        default=BrainExtraction.AUTO,
        title="Brain extraction",
        description="Cut the head down to its brain; auto: unless that was done already.",
    )
