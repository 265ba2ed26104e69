"""``brainsegaccel info``: what this machine can run, and what would change that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..backends.protocol import Availability, Device, Precision


@dataclass(frozen=True)
class Option:
    """One backend at one precision on one device."""

    backend: str
    version: str | None
    device: Device
    precision: Precision
    availability: Availability

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "backend": self.backend,
            "version": self.version,
            "device": str(self.device),
            "precision": str(self.precision),
            "available": self.availability.ok,
            "reason": self.availability.reason or None,
            "remedy": self.availability.remedy or None,
        }


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions, devices and what runs here, or why not."""
    from .. import __version__
    from ..manifest.hardware import probe_environment, probe_hardware
    from ..network.package import shipped_models

    hardware, environment, options = probe_hardware(), probe_environment(), _options()
    if as_json:
        document = {
            "version": __version__,
            "models": shipped_models(),
            "hardware": hardware.model_dump(mode="json"),
            "environment": environment.model_dump(mode="json"),
            "backends": [option.as_document() for option in options],
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


def _options() -> list[Option]:
    from ..backends.protocol import Device, Precision
    from ..backends.registry import backends

    return [
        Option(name, backend.version(), device, precision, backend.availability(device, precision))
        for name, backend in sorted(backends().items())
        for device in Device
        for precision in Precision
    ]


def table(options: list[Option]) -> Table:
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
