"""What a user may ask of preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True)
class PreprocessingOptions:
    """What a user may ask of preprocessing.

    :param bias_correction: whether slow changes of brightness are taken out of every modality.
    """

    registration: RegistrationMode = RegistrationMode.AUTO
    bias_correction: bool = False
    brain_extraction: BrainExtraction = BrainExtraction.AUTO
