"""The report of ``bench`` as a picture: median and p95 of one volume, from zero."""

from __future__ import annotations

from pathlib import Path

from ..manifest.model import Timing
from .report import BenchmarkReport

_OURS, _THEIRS = "#1f77b4", "#9aa3af"


def draw_report(report: BenchmarkReport, path: Path) -> None:
    """Write a PNG with a bar for each row and each peer; a whisker reaches to p95."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars: list[tuple[str, Timing, str]] = [
        (
            f"{row.manifest.model.name}, {row.manifest.runtime.backend} "
            f"{row.manifest.precision.engine}",
            timing,
            _OURS,
        )
        for row in report.rows
        if (timing := row.manifest.latency.model_only).p50_ms is not None
    ]
    bars += [(peer.title.split(",")[0], peer.model_only, _THEIRS) for peer in report.peers]
    bars.sort(key=lambda bar: bar[1].p50_ms or 0.0, reverse=True)
    medians = [timing.p50_ms or 0.0 for _, timing, _ in bars]
    above = [(timing.p95_ms or 0.0) - (timing.p50_ms or 0.0) for _, timing, _ in bars]
    figure = Figure(figsize=(8, 0.4 * len(bars) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.barh(
        [name for name, _, _ in bars],
        medians,
        xerr=[[0.0] * len(bars), above],
        color=[colour for _, _, colour in bars],
    )
    axes.set_xlabel("ms a volume, model only: p50, whisker to p95")
    for index, (median, more) in enumerate(zip(medians, above, strict=True)):
        axes.text(median + more, index, f"  {median:.0f}", va="center", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, format="png")
