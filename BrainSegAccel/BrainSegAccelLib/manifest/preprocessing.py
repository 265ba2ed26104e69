"""What the manifest says of preprocessing."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from ..preprocessing.brain_mask import BrainSource
from ..preprocessing.options import BrainExtraction, RegistrationMode
from ..preprocessing.record import PreprocessingRecord
from ..preprocessing.registration.evidence import Alignment, Decision, Fit
from ..records import Axes, Measured, Millilitres, Millimetres, Record, Score, Spacing, Text
from ..study.modality import Modality

Share = Annotated[Score, Field(ge=0, le=1)]
_Row = tuple[Score, Score, Score, Score]


class FitRecord(Measured):
    """How alike two volumes are at one relative position, and around it."""

    similarity: Score = Field(description="Mattes mutual information in nats.")
    distinctness: Score = Field(
        description="Share of it that a motion of 8 mm loses on average: about 0.2 where the same "
        "anatomy lies on itself, 0.1 and less where it does not."
    )
    offset_mm: Millimetres | None = Field(
        description="Estimated distance to the most similar position nearby."
    )

    @classmethod
    def of(cls, fit: Fit) -> Self:
        """Take the figures of a comparison."""
        return cls(
            similarity=fit.similarity,
            distinctness=fit.distinctness,
            offset_mm=fit.offset_mm,
            reason=None if fit.offset_mm is not None else "the position lies on no peak",
        )


class AlignmentRecord(Measured):
    """How one modality was brought onto the reference, and the evidence for it."""

    decision: Decision
    objection: str = Field(description="Why a registration was not used, else empty.")
    same_grid: bool = Field(description="Whether the headers put both on one grid.")
    before: FitRecord | None = Field(description="By the headers.")
    after: FitRecord | None = Field(description="By the registration, used or not.")
    moved_mm: Millimetres | None = Field(
        description="How far the registration moves the centre of the head."
    )
    turned_deg: Score | None = Field(description="By how much it turns it.")
    overlap: Share | None = Field(
        description="Share of the reference's head that then lies within the modality's volume."
    )
    to_reference: tuple[_Row, _Row, _Row, _Row] = Field(
        description="4x4 rigid, maps the modality's patient space to the reference's, LPS mm; the "
        "identity unless it was registered."
    )

    @classmethod
    def of(cls, found: Alignment) -> Self:
        """Take what a registration came to."""
        fits = {
            name: FitRecord.of(fit) if fit else None
            for name, fit in (("before", found.before), ("after", found.after))
        }
        return cls(
            decision=found.decision,
            objection=found.reason,
            same_grid=found.same_grid,
            moved_mm=found.moved_mm,
            turned_deg=found.turned_deg,
            overlap=found.overlap,
            to_reference=found.to_reference.tolist(),
            reason=None if found.after else "nothing was registered",
            **fits,
        )


class Preprocessing(Record):
    """What was done to the volumes before the network saw them."""

    reference: Modality = Field(description="The modality that the others were brought onto.")
    registration: RegistrationMode = Field(description="As asked for: auto, on or off.")
    alignment: dict[Modality, AlignmentRecord] = Field(description="Of every other modality.")
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

    @classmethod
    def of(cls, done: PreprocessingRecord) -> Self:
        """Take what preprocessing says that it did."""
        k, j, i = done.model_grid.shape
        return cls(
            reference=done.reference,
            registration=done.registration,
            alignment={m: AlignmentRecord.of(found) for m, found in done.alignment.items()},
            resampled=dict(done.resampled),
            coverage=dict(done.coverage),
            bias_corrected=done.bias_corrected,
            brain_extraction=done.brain_extraction,
            brain=done.brain,
            background_share=done.background_share,
            foreground=done.foreground,
            foreground_ml=done.foreground_ml,
            model_grid_shape=(i, j, k),
            model_grid_spacing_mm=done.model_grid.spacing,
        )
