"""What can be set about the labels without running the network again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ..errors import InputError
from ..models.description import LOWEST_THRESHOLD, Outputs
from ..settings import Settings
from ..study.label_scheme import Region

Threshold = Annotated[float, Field(ge=LOWEST_THRESHOLD, le=1.0)]


class Refinement(Settings):
    """What is asked for; what is left out is as the model has it."""

    thresholds: Mapping[str, Threshold] = Field(
        default_factory=dict,
        title="Thresholds",
        description="By region, e.g. ET: a voxel belongs to a region where its probability is "
        "above this; the model's own where none is given.",
        json_schema_extra={"option": "--threshold", "metavar": "REGION=VALUE"},
    )
    smallest_lesion_ml: float | None = Field(
        default=None,
        ge=0.0,
        title="Smallest lesion",
        description="Connected tumour parts of less than this volume are removed.",
        json_schema_extra={"unit": "ml", "option": "--smallest-lesion", "metavar": "ML"},
    )
    peak_odds: float | None = Field(
        default=None,
        ge=1.0,
        title="Peak odds",
        description="How many times the odds of the threshold the most probable voxel of a "
        "connected part must have, or the part is removed; 1 removes none.",
    )

    def resolve(self, outputs: Outputs) -> ResolvedRefinement:
        """Return what this means for a model.

        :raises InputError: a threshold of a region that the model does not have.
        """
        regions = outputs.scheme.regions
        known = [region.identifier for region in regions]
        for identifier in self.thresholds:
            if identifier not in known:
                raise InputError(
                    "the model has no such region",
                    where=f"threshold of {identifier}",
                    remedy=f"its regions are {', '.join(known)}",
                )
        own = {region.identifier: outputs.threshold(region) for region in regions}
        smallest, odds = self.smallest_lesion_ml, self.peak_odds
        return ResolvedRefinement(
            own | dict(self.thresholds),
            outputs.smallest_lesion_ml if smallest is None else smallest,
            outputs.peak_odds if odds is None else odds,
        )


@dataclass(frozen=True)
class ResolvedRefinement:
    """What labels are made with: a `Refinement` in which nothing is left to the model.

    :param thresholds: by identifier of every region, `LOWEST_THRESHOLD` to 1.
    :param smallest_lesion_ml: connected tumour parts of less than this volume are removed.
    :param peak_odds: how many times the odds of its threshold the most probable voxel of a
        connected part must have in some outermost region; 1 removes none. Odds, so that a lower
        threshold finds weaker parts too.
    """

    thresholds: Mapping[str, float]
    smallest_lesion_ml: float
    peak_odds: float

    def lowest_peak(self, region: Region) -> float:
        """Return the probability of a region at which `peak_odds` are reached."""
        threshold = self.thresholds[region.identifier]
        odds = self.peak_odds * threshold
        return odds / (odds + (1.0 - threshold))
