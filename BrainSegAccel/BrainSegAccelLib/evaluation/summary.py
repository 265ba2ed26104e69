"""Means over cases and over subsets, by the conventions of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from ..study.label_scheme import LabelScheme
from ..study.modality import Modality, subsets
from .report import (
    CaseRecord,
    Outcome,
    OverSubsets,
    RegionScores,
    RegionSummary,
    SubsetMean,
    SubsetSummary,
    Summary,
    UntoldMean,
)


def summarise(cases: Sequence[CaseRecord], scheme: LabelScheme) -> Summary:
    """Return the means over cases, each with all the modalities that it has."""
    return Summary(
        cases=len(cases),
        regions={r: _region([case.regions[r] for case in cases]) for r in _identifiers(scheme)},
        no_network=_region([case.no_network for case in cases if case.no_network]),
    )


def summarise_subsets(cases: Sequence[CaseRecord], scheme: LabelScheme) -> list[SubsetSummary]:
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
                    regions={
                        r: _region([regions[r] for _, regions in having])
                        for r in _identifiers(scheme)
                    },
                    no_network=_region([scores for scores in baseline if scores]),
                )
            )
    return found


def over_subsets(summaries: Sequence[SubsetSummary], scheme: LabelScheme) -> OverSubsets:
    """Return the means over subsets; where some do not tell a region, over these apart.

    :param summaries: at least one.
    """
    told, untold = dict[str, SubsetMean](), dict[str, UntoldMean]()
    for region in scheme.regions:
        name, needed = region.identifier, scheme.told_by(region)
        without = [s for s in summaries if needed and not set(needed) & set(s.modalities)]
        told[name] = _over(s.regions[name] for s in summaries if s not in without)
        if needed:
            apart = _over(s.regions[name] for s in without)
            untold[name] = UntoldMean(without=needed, **apart.model_dump())
    whole = scheme.whole.identifier
    dice = {s.modalities: d for s in summaries if (d := s.regions[whole].dice) is not None}
    lowest = min(dice, key=lambda modalities: dice[modalities], default=None)
    full = dice.get(tuple(Modality))
    share = dice[lowest] / full if lowest and full else None
    return OverSubsets(
        regions=told,
        untold=untold,
        no_network=_over(s.no_network for s in summaries),
        lowest=lowest,
        lowest_share=share,
        reason=None if share is not None else f"lowest_share: no {whole} on all four",
    )


def _identifiers(scheme: LabelScheme) -> list[str]:
    return [region.identifier for region in scheme.regions]


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
