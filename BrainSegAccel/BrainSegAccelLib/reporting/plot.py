"""The report of ``bench`` as a picture: median and p95 of one volume."""

from __future__ import annotations

from pathlib import Path

from ..benchmark.report import BenchmarkReport
from ..manifest.model import Timing

_OURS, _THEIRS = "#1f77b4", "#9aa3af"


def draw_report(report: BenchmarkReport, path: Path) -> None:
    """Write a PNG with a dot for each row and each peer; a whisker reaches to p95.

    Times lie on a logarithmic axis: the slowest network takes hundreds of times as long as ours.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dots: list[tuple[str, Timing, str]] = [
        (
            f"{row.manifest.model.name}, {row.manifest.runtime.backend} "
            f"{row.manifest.precision.engine}",
            timing,
            _OURS,
        )
        for row in report.rows
        if (timing := row.manifest.latency.model_only).p50_ms is not None
    ]
    dots += [(peer.title.split(",")[0], peer.model_only, _THEIRS) for peer in report.peers]
    dots.sort(key=lambda dot: dot[1].p50_ms or 0.0, reverse=True)
    figure = Figure(figsize=(8, 0.4 * len(dots) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, (_, timing, colour) in enumerate(dots):
        median, slow = timing.p50_ms or 0.0, timing.p95_ms or 0.0
        axes.plot([median, slow], [index, index], color=colour)
        axes.plot([median], [index], "o", color=colour)
        axes.text(slow, index, f"  {median:.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(dots)), [name for name, _, _ in dots])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(x=0.12)
    axes.set_xlabel("ms a volume, model only: p50, whisker to p95")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, format="png")
