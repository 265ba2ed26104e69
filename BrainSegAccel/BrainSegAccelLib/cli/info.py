"""``brainsegaccel info``: what this machine can run, and what would change that."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..backends.protocol import Availability
    from ..backends.survey import Combination


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions, devices and what runs here, or why not."""
    from .. import __version__
    from ..backends.survey import survey
    from ..models.package import shipped_models
    from ..system.hardware import probe_environment, probe_hardware

    hardware, environment, options = probe_hardware(), probe_environment(), survey()
    if as_json:
        document = {
            "version": __version__,
            "models": shipped_models(),
            "hardware": hardware.model_dump(mode="json"),
            "environment": environment.model_dump(mode="json"),
            "backends": [_document(option) for option in options],
        }
        print(json.dumps(document, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False)
    cpu, gib = hardware.cpu, 1 << 30
    gpus = ", ".join(gpu.name for gpu in hardware.gpus or ())
    reason = (hardware.reason or "no GPU").removeprefix("gpus: ")
    versions = ", ".join(f"{name} {found}" for name, found in environment.libraries.items())
    for name, value in (
        ("brainsegaccel", f"{__version__}, models: {', '.join(shipped_models())}"),
        ("cpu", f"{cpu.model or cpu.architecture}, {cpu.usable_cores:g} usable cores"),
        ("", ", ".join(cpu.instruction_sets or ())),
        ("memory", f"{hardware.memory.usable_bytes / gib:.0f} GiB"),
        ("gpu", gpus or f"none ({reason})"),
        ("system", f"{environment.operating_system}, {environment.python}"),
        ("libraries", versions),
    ):
        if value:
            console.print(f"{name:<14} {value}", soft_wrap=True, markup=False)
    console.print(table(options))


def _document(option: Combination) -> dict[str, Any]:
    """Return it as JSON takes it."""
    return {
        "backend": option.backend,
        "version": option.version,
        "device": str(option.device),
        "precision": str(option.precision),
        "available": option.availability.ok,
        "reason": option.availability.reason or None,
        "remedy": option.availability.remedy or None,
    }


def table(options: Iterable[Combination]) -> Table:
    """Return one row for each backend, device and answer; precisions with one answer share it."""
    from rich.markup import escape
    from rich.table import Table

    rows: dict[tuple[str, str, Availability], list[str]] = {}
    for option in options:
        name = f"{option.backend} {option.version or ''}".strip()
        key = (name, str(option.device), option.availability)
        rows.setdefault(key, []).append(str(option.precision))
    table = Table("backend", "device", "precision", "available")
    for (name, device, answer), precisions in rows.items():
        said = "yes" if answer.ok else escape(f"no: {answer.reason}; {answer.remedy}")
        table.add_row(name, device, ", ".join(precisions), said, style="" if answer.ok else "dim")
    return table
