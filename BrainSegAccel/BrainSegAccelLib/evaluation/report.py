"""The report of an evaluation: every case, every subset and their means, in one typed document."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from ..backends.protocol import Device, EngineInfo, Precision
from ..manifest.model import ModelIdentity, Software
from ..metrics.regions import Scores, score
from ..records import Count, Measured, Millilitres, Record, Score, Text, UtcTime
from ..study.label_scheme import LabelScheme
from ..study.modality import Modality
from ..study.segmentation import Segmentation

SCHEMA_VERSION: Literal["2.0"] = "2.0"

_CONVENTIONS = (
    "HD95 is the larger of the two directed 95th percentiles of the distances between surfaces, in "
    "mm; 373.13 if one of the two is empty, 0 if both are.",
    "A mean is taken over the cases whose reference shows the region; a region that was missed "
    "counts with Dice 0 and HD95 373.13.",
    "A case whose reference lacks a region is left out of that mean and counted apart: rightly "
    "empty if nothing was predicted either, else a false positive.",
    "The mean with empty references counted takes every case: Dice 1 and HD95 0 where it is "
    "rightly empty, Dice 0 and HD95 373.13 for a false positive.",
)
_NO_NETWORK = (
    "No network: FLAIR smoothed by 1 voxel, z-score above 1.0 in the brain, the largest connected "
    "part; {whole} only."
)


def conventions(scheme: LabelScheme) -> tuple[str, ...]:
    """Return how the figures of a report are to be read, one sentence each."""
    named = ", ".join(f"{region.identifier} is {region.name}" for region in scheme.regions)
    aliases = "; ".join(
        f"{' and '.join(str(value) for value in label.aliases)} of a reference counts as "
        f"{label.value}, {label.name.lower()}"
        for label in scheme.labels
        if label.aliases
    )
    apart = [
        f"{region.identifier} cannot be told without {' or '.join(m.label for m in told_by)}: "
        "subsets without are listed apart for it."
        for region in scheme.regions
        if (told_by := scheme.told_by(region))
    ]
    return (
        f"{named}{f'; {aliases}' if aliases else ''}.",
        *_CONVENTIONS,
        *apart,
        _NO_NETWORK.format(whole=scheme.whole.name),
    )


class Outcome(StrEnum):
    """Who shows a region: the prediction, the reference, both or neither."""

    FOUND = "found"
    MISSED = "missed"
    FALSE_POSITIVE = "false positive"
    RIGHTLY_EMPTY = "rightly empty"


class RegionScores(Record):
    """Agreement on one region of one case."""

    outcome: Outcome
    dice: Score
    hd95_mm: Score
    predicted_ml: Millilitres
    reference_ml: Millilitres

    @classmethod
    def of(cls, found: Scores) -> Self:
        """Take the figures of a comparison."""
        outcome = {
            (True, True): Outcome.FOUND,
            (False, True): Outcome.MISSED,
            (True, False): Outcome.FALSE_POSITIVE,
            (False, False): Outcome.RIGHTLY_EMPTY,
        }[found.predicted_ml > 0, found.reference_ml > 0]
        return cls(
            outcome=outcome,
            dice=found.dice,
            hd95_mm=found.hd95_mm,
            predicted_ml=found.predicted_ml,
            reference_ml=found.reference_ml,
        )

    @property
    def reference_shows_it(self) -> bool:
        """Whether the case counts in the means of the region."""
        return self.outcome in (Outcome.FOUND, Outcome.MISSED)


Modalities = Annotated[tuple[Modality, ...], Field(min_length=1)]
ByRegion = Annotated[dict[str, RegionScores], Field(min_length=1, description="By region.")]


class SubsetScores(Record):
    """One case, seen through some of its modalities."""

    modalities: Modalities
    regions: ByRegion


class CaseRecord(Measured):
    """One case."""

    case: Text = Field(description="The case's folder, below the folder that was evaluated.")
    modalities: Modalities
    regions: ByRegion = Field(description="By region, from all modalities of the case.")
    no_network: RegionScores | None = Field(
        description="The baseline, compared with all of the tumour."
    )
    subsets: tuple[SubsetScores, ...] = Field(
        description="Every subset of the case's modalities; empty if they were not asked for."
    )


class FailedCase(Record):
    """A case that could not be evaluated."""

    case: Text
    error: Text


class RegionSummary(Measured):
    """Means of one region over cases, and what the means leave out."""

    cases: Count = Field(description="Whose reference shows the region: those of the means.")
    dice: Score | None
    hd95_mm: Score | None
    missed: Count = Field(description="Of these cases, those in which nothing was predicted.")
    without: Count = Field(description="Cases whose reference lacks the region.")
    rightly_empty: Count = Field(description="Of those, the ones in which nothing was predicted.")
    false_positives: Count
    false_ml: Millilitres = Field(description="Predicted in all false positives together.")
    dice_empty_counted: Score | None = Field(description="Mean over all cases, 1 or 0 if empty.")
    hd95_empty_counted_mm: Score | None


class Summary(Record):
    """Means over cases."""

    cases: Count
    regions: dict[str, RegionSummary] = Field(min_length=1)
    no_network: RegionSummary = Field(description="Of the cases that have FLAIR.")


class SubsetSummary(Summary):
    """Means over the cases that have all modalities of a subset."""

    modalities: Modalities


class SubsetMean(Measured):
    """Mean over subsets of the means over cases."""

    subsets: Count
    dice: Score | None
    hd95_mm: Score | None


class UntoldMean(SubsetMean):
    """Mean over the subsets that do not tell a region."""

    without: Modalities = Field(description="None of these is in the subsets; one would tell it.")


class OverSubsets(Measured):
    """Means over all subsets."""

    regions: dict[str, SubsetMean] = Field(
        min_length=1, description="Over the subsets in which the region can be told."
    )
    untold: dict[str, UntoldMean] = Field(
        description="Of regions that not every subset tells: over those that do not."
    )
    no_network: SubsetMean = Field(description="Over the subsets with FLAIR.")
    lowest: Modalities | None = Field(description="The subset with the lowest Dice of the whole.")
    lowest_share: Score | None = Field(description="That Dice, as a share of all four's.")


class EvaluationRuntime(Record):
    """What the network ran on."""

    backend: Text
    version: Text
    precision: Precision
    device: Device
    device_name: Text

    @classmethod
    def of(cls, engine: EngineInfo) -> Self:
        """Take what the engine says of itself."""
        return cls(
            backend=engine.backend,
            version=engine.version,
            precision=engine.precision,
            device=engine.device,
            device_name=engine.device_name,
        )


class EvaluationReport(Measured):
    """Everything that an evaluation found."""

    schema_version: Literal["2.0"]
    created_utc: UtcTime
    software: Software
    model: ModelIdentity
    runtime: EvaluationRuntime
    conventions: tuple[Text, ...]
    whole: Text = Field(description="The region that is all of the tumour: the baseline's.")
    cases: tuple[CaseRecord, ...]
    failed: tuple[FailedCase, ...]
    mean: Summary = Field(description="Over all cases, each with all modalities that it has.")
    subsets: tuple[SubsetSummary, ...] = Field(description="Empty if they were not asked for.")
    over_subsets: OverSubsets | None


def scores_by_region(prediction: Segmentation, reference: Segmentation) -> dict[str, RegionScores]:
    """Compare two segmentations on one grid, by the regions of their label scheme.

    :raises ValueError: if their shapes or label schemes differ.
    """
    return {name: RegionScores.of(one) for name, one in score(prediction, reference).items()}
