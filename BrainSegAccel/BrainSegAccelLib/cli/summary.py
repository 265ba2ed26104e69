"""What a finished run prints on stdout."""

from __future__ import annotations

import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..manifest.model import Manifest, Selection
from ..runs.files import FileOutput


def print_summary(manifest: Manifest, output: FileOutput) -> None:
    """Print volumes, times, backend, all that was said in words and where the files lie."""
    console = Console(highlight=False, emoji=False)
    console.print(_volumes(manifest))
    console.print(_latency(manifest))
    if manifest.runtime.selection.candidates:
        console.print(_candidates(manifest.runtime.selection))
    console.print()
    console.print(_runtime(manifest), soft_wrap=True, markup=False)
    if manifest.quality_retention.reference:
        console.print(_quality(manifest), soft_wrap=True)
    for note in manifest.warnings:
        console.print(f"{'note':<13} {note}", soft_wrap=True, markup=False)
    for name, path in (("segmentation", output.segmentation), ("manifest", output.manifest)):
        console.print(f"{name:<13} {path}", soft_wrap=True, markup=False)


def _volumes(manifest: Manifest) -> Table:
    output = manifest.outputs[0]
    table = Table("tumour", box=None)
    table.add_column("ml", justify="right")
    for identifier, label in output.labels.items():
        table.add_row(label.name, f"{output.volumes_ml[identifier]:.1f}")
    for identifier in output.outermost:
        region = output.regions[identifier]
        if len(region.labels) > 1:
            name = region.name.capitalize()
            table.add_row(name, f"{output.volumes_ml[identifier]:.1f}", style="bold")
    return table


def _latency(manifest: Manifest) -> Table:
    latency = manifest.latency
    table = Table("\nstage", box=None)
    table.add_column("\nms", justify="right")
    for name, milliseconds in latency.stages_ms.items():
        table.add_row(name, f"{milliseconds:.0f}")
    table.add_row("total", f"{latency.total_ms:.0f}", style="bold")
    for name, timing in (("model only", latency.model_only), ("end to end", latency.end_to_end)):
        if timing.p50_ms is not None:
            table.add_row(f"{name}, p50 of {timing.iterations} warm", f"{timing.p50_ms:.0f}")
            table.add_row(f"{name}, p95", f"{timing.p95_ms:.0f}")
    return table


def _candidates(selection: Selection) -> Table:
    """Show what auto measured, the fastest first, and what was not measured last."""
    when = "measured earlier" if selection.remembered else "measured now"
    table = Table(f"\nauto, {when}", box=None)
    table.add_column("\nms", justify="right")
    table.add_column("\nloss of Dice", justify="right")
    table.add_column("")
    for found in sorted(selection.candidates or (), key=lambda c: c.p50_ms or math.inf):
        table.add_row(
            f"{found.backend} {found.precision} {found.device}",
            "" if found.p50_ms is None else f"{found.p50_ms:.0f}",
            "" if found.delta_dice is None else f"{found.delta_dice:.4f}",
            escape(found.reason or ""),
        )
    return table


def _runtime(manifest: Manifest) -> str:
    runtime, protocol = manifest.runtime, manifest.input_protocol
    passes = protocol.passes + ("" if protocol.windows == 1 else f", {protocol.windows} windows")
    modalities = ", ".join(modality.label for modality in protocol.available)
    return (
        f"{'backend':<13} {runtime.backend} {runtime.version}, {manifest.precision.engine}, "
        f"{runtime.device_name}\n"
        f"{'model':<13} {manifest.model.name} {manifest.model.version}, {passes}\n"
        f"{'modalities':<13} {modalities}"
    )


def _quality(manifest: Manifest) -> str:
    quality = manifest.quality_retention
    assert quality.reference is not None
    assert quality.agreement_dice is not None
    assert quality.delta_hd95_mm is not None
    distances = quality.delta_hd95_mm
    shown = ", ".join(
        f"{region} Dice {dice:.4f} HD95 {distances[region]:.2f} mm"
        for region, dice in quality.agreement_dice.items()
    )
    reference = quality.reference
    return f"{'verified':<13} against {reference.backend} {reference.precision}: {shown}"
