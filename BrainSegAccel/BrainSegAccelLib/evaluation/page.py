"""The report as people read it: Dice and HD95 of every case, and of every subset."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..reporting.markdown import Row, bold, page, table
from ..study.modality import Modality
from .report import (
    CaseRecord,
    EvaluationReport,
    Outcome,
    OverSubsets,
    RegionScores,
    RegionSummary,
    SubsetMean,
    SubsetSummary,
)

ABSENT = "n/a"
_EMPTY = {Outcome.RIGHTLY_EMPTY: "empty", Outcome.FALSE_POSITIVE: "false"}

Rows = list[Row]
Scored = RegionScores | RegionSummary | SubsetMean


def to_markdown(report: EvaluationReport) -> str:
    """Return the report as a Markdown document."""
    parts = [
        _heading(report),
        *_case_tables(report),
        _counts(report),
        *(_subset_tables(report, report.over_subsets) if report.over_subsets else ()),
    ]
    if report.failed:
        rows = [[failed.case, failed.error] for failed in report.failed]
        parts.append(f"## Failed\n\n{table(['case', 'error'], rows)}")
    parts.append("## Conventions\n\n" + "\n".join(f"- {rule}" for rule in report.conventions))
    return page(parts)


def _heading(report: EvaluationReport) -> str:
    runtime, model = report.runtime, report.model
    total = len(report.cases) + len(report.failed)
    return (
        f"# Evaluation of {model.name} {model.version}\n\n"
        f"{len(report.cases)} of {total} cases, each with all modalities that it has, by "
        f"{runtime.backend} {runtime.version}, {runtime.precision} on {runtime.device_name}; "
        f"{report.software.name} {report.software.version}, weights "
        f"{model.weights_sha256[:12]}, {report.created_utc:%Y-%m-%d}."
    )


def _case_tables(report: EvaluationReport) -> list[str]:
    mean = report.mean
    summaries = [*mean.regions.values(), mean.no_network]
    columns = ["case", *mean.regions, _baseline(report)]

    def rows(shown: Callable[[Scored | None], str], of_all: Callable[[RegionSummary], str]) -> Rows:
        cases = [[case.case, *map(shown, _scores(case))] for case in report.cases]
        return [
            *cases,
            bold(["mean", *map(shown, summaries)]),
            bold(["mean, empty references counted", *map(of_all, summaries)]),
        ]

    dice = rows(_dice, lambda found: _figure(found.dice_empty_counted, 3))
    volumes = [[_volumes(case, True), _volumes(case, False)] for case in report.cases]
    with_volumes = [
        [*row, *ml] for row, ml in zip(dice, [*volumes, ["", ""], ["", ""]], strict=True)
    ]
    millilitres = f"{' / '.join(mean.regions)} ml"
    distances = rows(_hd95, lambda found: _figure(found.hd95_empty_counted_mm, 1))
    return [
        "## Dice\n\n"
        + table([*columns, f"predicted {millilitres}", f"reference {millilitres}"], with_volumes)
        + "\n\nempty: neither shows the region. false: predicted, though the reference lacks it.",
        "## HD95, mm\n\n" + table(columns, distances),
    ]


def _counts(report: EvaluationReport) -> str:
    """Return what the means leave out, and what was missed."""
    names = [*report.mean.regions, _baseline(report)]
    summaries = [*report.mean.regions.values(), report.mean.no_network]
    rows = [
        [
            name,
            str(found.cases),
            str(found.missed),
            str(found.without),
            str(found.rightly_empty),
            str(found.false_positives),
            f"{found.false_ml:.3f}",
        ]
        for name, found in zip(names, summaries, strict=True)
    ]
    columns = ["region", "cases with it", "missed", "cases without it", "rightly empty"]
    return "## Regions that a reference lacks\n\n" + table(
        [*columns, "false positives", "false ml"], rows
    )


def _subset_tables(report: EvaluationReport, over: OverSubsets) -> list[str]:
    columns, means = ["modalities", "cases"], list[SubsetMean]()
    for region, mean in over.regions.items():
        columns.append(region)
        means.append(mean)
        if (apart := over.untold.get(region)) is not None:
            columns.append(f"{region}, no {' or '.join(m.label for m in apart.without)}")
            means.append(apart)
    columns.append(_baseline(report))
    means.append(over.no_network)

    def rows(shown: Callable[[Scored | None], str]) -> Rows:
        mean = bold([f"mean of the {len(report.subsets)}", "", *map(shown, means)])
        return [*(_subset_row(subset, over, shown) for subset in report.subsets), mean]

    parts = [
        "## Dice of every subset\n\n" + table(columns, rows(_dice)),
        "## HD95 of every subset, mm\n\n" + table(columns, rows(_hd95)),
    ]
    if over.lowest and over.lowest_share is not None:
        lowest = f"{_named(over.lowest)}: {over.lowest_share:.0%} of all four's"
        parts.append(f"Lowest Dice of {report.whole}: {lowest}.")
    return parts


def _subset_row(
    subset: SubsetSummary, over: OverSubsets, shown: Callable[[Scored | None], str]
) -> Row:
    cells = []
    for region in over.regions:
        cell = shown(subset.regions[region])
        apart = over.untold.get(region)
        if apart is None:
            cells.append(cell)
        else:
            told = bool(set(apart.without) & set(subset.modalities))
            cells += [cell, ""] if told else ["", cell]
    return [_named(subset.modalities), str(subset.cases), *cells, shown(subset.no_network)]


def _baseline(report: EvaluationReport) -> str:
    return f"{report.whole}, no network"


def _scores(case: CaseRecord) -> list[RegionScores | None]:
    return [*case.regions.values(), case.no_network]


def _dice(found: Scored | None) -> str:
    return _shown(found, lambda scores: scores.dice, 3)


def _hd95(found: Scored | None) -> str:
    return _shown(found, lambda scores: scores.hd95_mm, 1)


def _shown(found: Scored | None, figure: Callable[[Scored], float | None], digits: int) -> str:
    if isinstance(found, RegionScores) and found.outcome in _EMPTY:
        return _EMPTY[found.outcome]
    return _figure(figure(found) if found else None, digits)


def _figure(value: float | None, digits: int) -> str:
    return ABSENT if value is None else f"{value:.{digits}f}"


def _volumes(case: CaseRecord, predicted: bool) -> str:
    found = case.regions.values()
    values = (scores.predicted_ml if predicted else scores.reference_ml for scores in found)
    return " / ".join(f"{value:.1f}" for value in values)


def _named(modalities: Iterable[Modality]) -> str:
    return ", ".join(modality.label for modality in modalities)
