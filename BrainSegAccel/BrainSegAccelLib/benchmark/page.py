"""The report of ``bench`` as people read it: docs/benchmarks.md is such a page."""

from __future__ import annotations

from collections.abc import Sequence

from ..manifest.model import PerRegion, Timing
from ..reporting.markdown import page, table
from ..reporting.plot import Dot
from .report import BenchmarkReport, Row

TIMES = "ms a volume, model only: p50, whisker to p95"
"""What the picture shows."""
_GIB = 1 << 30
_SPEED_COLUMNS = (
    "model",
    "backend",
    "precision",
    "model only p50 / p95 ms",
    "end to end p50 / p95 ms",
    "cold process s",
    "peak memory GiB",
    "first build s",
    "SegResNet / model only",
    "recipe / end to end",
    "recipe / cold",
)


def to_markdown(report: BenchmarkReport, picture: str) -> str:
    """Return the report.

    :param picture: file name of the plot beside it.
    """
    protocol = report.rows[0].manifest.input_protocol
    regions = _regions(report)
    quickest_first = sorted(report.rows, key=lambda row: _p50(row.manifest.latency.model_only))
    parts = [
        "# Benchmarks",
        "Written by `brainsegaccel bench`; the JSON beside it holds a whole manifest for each row.",
        _machine(report),
        f"One volume of {' x '.join(str(n) for n in protocol.shape)} a call "
        f"({protocol.passes}), {_iterations(report)}. All candidates take turns, one iteration "
        "each, so that a drift of the machine touches all of them alike.",
        f"![Time of one volume by backend and precision]({picture})",
        "## Speed",
        table(
            _SPEED_COLUMNS,
            (_speed(row, report) for row in quickest_first),
        ),
        "Model only: float32 input to float32 probabilities in host memory. End to end: files to "
        "file in a warm process. Cold: a new process with the engine in its cache, start and "
        "imports included; its peak memory. First build: without a cached engine. The last three "
        "columns say how many times as long SegResNet takes, and MONAI's recipe in a warm process "
        "(see below), also against our cold one.",
        "## Quality against FP32",
        table(
            _quality_columns(regions),
            (_quality(row, regions) for row in quickest_first),
        ),
    ]
    if report.peers:
        parts += [
            "## Networks of others in the same run",
            table(
                ["network", "parameters M", "model only p50 / p95 ms", "end to end p50 / p95 ms"],
                (
                    [p.title, f"{p.parameters / 1e6:.1f}", _both(p.model_only), _both(p.end_to_end)]
                    for p in sorted(report.peers, key=lambda p: _p50(p.model_only))
                ),
            ),
            f"Model only: {report.peers[0].model_only.includes}. "
            f"End to end: {report.peers[0].end_to_end.includes}.",
        ]
    if report.failed:
        parts += [
            "## Did not run",
            table(
                ["model", "backend", "precision", "reason"],
                ([f.model, f.backend, f.precision, f.reason] for f in report.failed),
            ),
        ]
    return page(parts)


def dots(report: BenchmarkReport) -> list[Dot]:
    """Return every row and every peer of the report for a picture: the model alone."""
    rows = [
        (
            f"{row.manifest.model.name}, {row.manifest.runtime.backend} "
            f"{row.manifest.precision.engine}",
            row.manifest.latency.model_only,
            True,
        )
        for row in report.rows
    ]
    peers = [(peer.title.split(",")[0], peer.model_only, False) for peer in report.peers]
    return [
        Dot(name, timing.p50_ms, timing.p95_ms, ours)
        for name, timing, ours in (*rows, *peers)
        if timing.p50_ms is not None and timing.p95_ms is not None
    ]


def _machine(report: BenchmarkReport) -> str:
    cpu, memory = report.hardware.cpu, report.hardware.memory
    gpus = ", ".join(gpu.name for gpu in report.hardware.gpus or ()) or "none"
    libraries = ", ".join(f"{n} {v}" for n, v in report.environment.libraries.items())
    return (
        f"{report.created_utc:%Y-%m-%d}, BrainSegAccel {report.software.version} on "
        f"{cpu.model or cpu.architecture}, {cpu.usable_cores:g} cores "
        f"({', '.join(cpu.instruction_sets or ())}), {memory.usable_bytes / _GIB:.0f} GiB, "
        f"GPU: {gpus}; {report.environment.operating_system}, {report.environment.python}; "
        f"{libraries}."
    )


def _iterations(report: BenchmarkReport) -> str:
    timing = report.rows[0].manifest.latency.model_only
    return f"{timing.iterations} timed iterations after {timing.warmup} untimed ones"


def _speed(row: Row, report: BenchmarkReport) -> list[str]:
    latency, runtime = row.manifest.latency, row.manifest.runtime
    peak = runtime.peak_memory_bytes
    return [
        row.manifest.model.name,
        runtime.backend,
        str(row.manifest.precision.engine),
        _both(latency.model_only),
        _both(latency.end_to_end),
        f"{latency.total_ms / 1e3:.2f}",
        f"{peak / _GIB:.2f}" if peak else "",
        f"{row.first_build_seconds:.1f}",
        *_ratios(row, report),
    ]


def _ratios(row: Row, report: BenchmarkReport) -> list[str]:
    """How much longer SegResNet and its recipe take; empty where they were not measured."""
    ours = row.manifest.latency
    for peer in report.peers:
        if peer.name == "segresnet":
            network, recipe = _p50(peer.model_only), _p50(peer.end_to_end)
            pairs = (
                (network, _p50(ours.model_only)),
                (recipe, _p50(ours.end_to_end)),
                (recipe, ours.total_ms),
            )
            return [f"{theirs / own:.1f}" if theirs else "" for theirs, own in pairs]
    return ["", "", ""]


def _quality_columns(regions: Sequence[str]) -> list[str]:
    """Return the headings of what `_quality` shows."""
    return [
        "model",
        "backend",
        "precision",
        *(f"ΔDice {region}" for region in regions),
        *(f"ΔHD95 {region} mm" for region in regions),
        "layers by format",
    ]


def _regions(report: BenchmarkReport) -> list[str]:
    """Return the regions of all models that were measured, each once."""
    tables = (row.manifest.quality_retention.delta_dice for row in report.rows)
    return list(dict.fromkeys(region for table in tables for region in table or ()))


def _quality(row: Row, regions: Sequence[str]) -> list[str]:
    retention, precision = row.manifest.quality_retention, row.manifest.precision
    formats = precision.actual_operations or {}
    return [
        row.manifest.model.name,
        row.manifest.runtime.backend,
        str(precision.engine),
        *_by_region(retention.delta_dice, regions, 4),
        *_by_region(retention.delta_hd95_mm, regions, 2),
        ", ".join(f"{name} {count}" for name, count in formats.items()) or "not told",
    ]


def _by_region(values: PerRegion | None, regions: Sequence[str], digits: int) -> list[str]:
    known = values or {}
    return [f"{known[region]:+.{digits}f}" if region in known else "" for region in regions]


def _p50(timing: Timing) -> float:
    return timing.p50_ms or 0.0


def _both(timing: Timing) -> str:
    return f"{timing.p50_ms:.0f} / {timing.p95_ms:.0f}" if timing.p50_ms is not None else ""
