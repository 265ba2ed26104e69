"""Means over cases and over subsets, by the conventions of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from ..study.modality import Modality, subsets
from ..study.regions import Region
from .report import (
    CaseRecord,
    Outcome,
    OverSubsets,
    RegionScores,
    RegionSummary,
    SubsetMean,
    SubsetSummary,
    Summary,
)


def summarise(cases: Sequence[CaseRecord]) -> Summary:
    """Return the means over cases, each with all the modalities that it has."""
    return Summary(
        cases=len(cases),
        regions={region: _region([case.regions[region] for case in cases]) for region in Region},
        no_network=_region([case.no_network for case in cases if case.no_network]),
    )


def summarise_subsets(cases: Sequence[CaseRecord]) -> list[SubsetSummary]:
    """Return the means of every subset that some case has been evaluated with.

    The baseline stands beside those that hold FLAIR, over the same cases.
    """
    found = []
    for modalities in subsets():
        having = [
            (case, scores.regions)
            for case in cases
            for scores in case.subsets
            if scores.modalities == modalities
        ]
        baseline = [case.no_network for case, _ in having if Modality.FLAIR in modalities]
        if having:
            found.append(
                SubsetSummary(
                    modalities=modalities,
                    cases=len(having),
                    regions={r: _region([regions[r] for _, regions in having]) for r in Region},
                    no_network=_region([scores for scores in baseline if scores]),
                )
            )
    return found


def over_subsets(summaries: Sequence[SubsetSummary]) -> OverSubsets:
    """Return the means over subsets; enhancing tumour with and without T1c apart.

    :param summaries: at least one.
    """
    with_t1c = [s for s in summaries if Modality.T1C in s.modalities]
    without = [s for s in summaries if Modality.T1C not in s.modalities]
    counted = {Region.ET: with_t1c, Region.TC: summaries, Region.WT: summaries}
    dice_of_wt = {
        s.modalities: dice for s in summaries if (dice := s.regions[Region.WT].dice) is not None
    }
    lowest = min(dice_of_wt, key=lambda modalities: dice_of_wt[modalities], default=None)
    full = dice_of_wt.get(tuple(Modality))
    share = dice_of_wt[lowest] / full if lowest and full else None
    return OverSubsets(
        regions={r: _over(s.regions[r] for s in chosen) for r, chosen in counted.items()},
        enhancing_without_t1c=_over(s.regions[Region.ET] for s in without),
        no_network=_over(s.no_network for s in summaries),
        lowest_wt=lowest,
        lowest_wt_share=share,
        reason=None if share is not None else "lowest_wt_share: no whole tumour on all four",
    )


def _region(scores: Sequence[RegionScores]) -> RegionSummary:
    shown = [found for found in scores if found.reference_shows_it]
    false = [found for found in scores if found.outcome is Outcome.FALSE_POSITIVE]
    return RegionSummary(
        cases=len(shown),
        dice=_mean(found.dice for found in shown),
        hd95_mm=_mean(found.hd95_mm for found in shown),
        missed=sum(found.outcome is Outcome.MISSED for found in shown),
        without=len(scores) - len(shown),
        rightly_empty=sum(found.outcome is Outcome.RIGHTLY_EMPTY for found in scores),
        false_positives=len(false),
        false_ml=sum(found.predicted_ml for found in false),
        dice_empty_counted=_mean(found.dice for found in scores),
        hd95_empty_counted_mm=_mean(found.hd95_mm for found in scores),
        reason=None if shown else "no case whose reference shows the region",
    )


def _over(regions: Iterable[RegionSummary]) -> SubsetMean:
    known = [region for region in regions if region.dice is not None]
    return SubsetMean(
        subsets=len(known),
        dice=_mean(region.dice for region in known),
        hd95_mm=_mean(region.hd95_mm for region in known),
        reason=None if known else "no such subset has a mean",
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
