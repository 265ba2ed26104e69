"""Times as a picture: a dot for the median of each candidate, a whisker to its p95."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_OURS, _THEIRS = "#1f77b4", "#9aa3af"


@dataclass(frozen=True)
class Dot:
    """One candidate.

    :param name: stands beside it.
    :param ours: whether it is one of ours, which have a colour of their own.
    """

    name: str
    p50_ms: float
    p95_ms: float
    ours: bool


def draw_times(dots: Iterable[Dot], title: str, path: Path) -> None:
    """Write a PNG with the slowest candidate at the bottom.

    Times lie on a logarithmic axis: the slowest network takes hundreds of times as long as ours.

    :param title: of the axis of times.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(dots, key=lambda dot: dot.p50_ms, reverse=True)
    figure = Figure(figsize=(8, 0.4 * len(rows) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for height, dot in enumerate(rows):
        colour = _OURS if dot.ours else _THEIRS
        axes.plot([dot.p50_ms, dot.p95_ms], [height, height], color=colour)
        axes.plot([dot.p50_ms], [height], "o", color=colour)
        axes.text(dot.p95_ms, height, f"  {dot.p50_ms:.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [dot.name for dot in rows])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(x=0.12)
    axes.set_xlabel(title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, format="png")
