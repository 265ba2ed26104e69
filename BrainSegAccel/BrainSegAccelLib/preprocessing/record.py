"""What preprocessing did, as the manifest tells it."""

from __future__ import annotations

from pydantic import Field

from ..records import Axes, Millilitres, Record, Share, Spacing, Text
from ..study.modality import Modality
from .brain_mask import BrainSource
from .options import BrainExtraction, RegistrationMode
from .registration.evidence import Alignment


class Preprocessing(Record):
    """What was done to the volumes before the network saw them."""

    reference: Modality = Field(description="The modality that the others were brought onto.")
    registration: RegistrationMode = Field(description="As asked for: auto, on or off.")
    alignment: dict[Modality, Alignment] = Field(description="Of every other modality.")
    resampled: dict[Modality, bool] = Field(
        description="False where values were only cropped, not interpolated."
    )
    coverage: dict[Modality, Share] = Field(
        description="Share of the foreground in which the modality shows something."
    )
    bias_corrected: bool = Field(
        description="Whether N4 took a bias field out of each modality; else broad shading went."
    )
    brain_extraction: BrainExtraction = Field(description="As asked for: auto, on or off.")
    brain: BrainSource = Field(description="Where the mask comes from that the network saw.")
    background_share: Share = Field(
        description="Share of the reference's voxels that hold exactly the value around the head: "
        "large where the brain was extracted before, nearly 0 where there is noise."
    )
    foreground: Text = Field(description="How that mask was found, in words.")
    foreground_ml: Millilitres = Field(description="Its volume within the model grid.")
    model_grid_shape: Axes
    model_grid_spacing_mm: Spacing
