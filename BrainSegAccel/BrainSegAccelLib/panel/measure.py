"""Benchmark, comparison with the FP32 reference, and a race of all backends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from slicer.i18n import tr as _

from ..backends.choice import EngineChoice
from ..backends.protocol import Precision
from ..backends.survey import Combination
from ..manifest.model import Manifest
from ..mrml.measurements import benchmark_row, configuration
from .parameters import AUTO
from .scene_run import SceneRequest


def racers(request: SceneRequest, combinations: Iterable[Combination]) -> list[SceneRequest]:
    """Return the request once for every backend that runs here, on its device and precision.

    ``auto`` as precision stands for FP32, and as device for the first that the backend runs on.
    """
    wanted = request.options.engine
    precision = Precision.FP32 if wanted.precision == AUTO else wanted.precision
    found: dict[str, SceneRequest] = {}
    for combination in combinations:
        fits = combination.precision == precision
        fits &= wanted.device in (AUTO, combination.device)
        if combination.availability.ok and fits:
            engine = EngineChoice(
                backend=combination.backend, precision=precision, device=combination.device
            )
            options = request.options.model_copy(update={"engine": engine})
            found.setdefault(combination.backend, replace(request, options=options))
    return list(found.values())


def benchmarkSummary(manifest: Manifest) -> str:
    """Return the benchmark in a line; empty if there was none."""
    row = benchmark_row(manifest)
    if row is None:
        return ""
    return _(
        "{configuration}: network p50 {n50:.0f} ms, p95 {n95:.0f} ms;"
        " end to end p50 {e50:.0f} ms, p95 {e95:.0f} ms ({count} iterations)."
    ).format(
        configuration=row["configuration"],
        n50=row["network p50 ms"],
        n95=row["network p95 ms"],
        e50=row["end to end p50 ms"],
        e95=row["end to end p95 ms"],
        count=manifest.latency.model_only.iterations,
    )


def qualitySummary(manifest: Manifest) -> str:
    """Return what the run lost against the FP32 reference in a line; empty if not verified."""
    retention = manifest.quality_retention
    reference, losses, distances = (
        retention.reference,
        retention.delta_dice,
        retention.delta_hd95_mm,
    )
    if reference is None or losses is None or distances is None:
        return ""
    dice = ", ".join(f"{region} {value:+.4f}" for region, value in losses.items())
    hd95 = ", ".join(f"{region} {value:+.2f}" for region, value in distances.items())
    return _("{configuration} against {reference} FP32: ΔDice {dice}; ΔHD95 {hd95} mm.").format(
        configuration=configuration(manifest), reference=reference.backend, dice=dice, hd95=hd95
    )
