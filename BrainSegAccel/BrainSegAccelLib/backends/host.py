"""What the backends ask about this machine."""

from __future__ import annotations

from ..manifest.hardware import installed_versions, probe_cpu


def cpu_name() -> str:
    """Model name of the CPU, or the architecture where the system does not tell."""
    cpu = probe_cpu()
    return cpu.model or cpu.architecture


def usable_cores() -> int:
    """Physical cores that this process may use: affinity and container quota count."""
    cpu = probe_cpu()
    allowed = max(1, int(cpu.usable_cores))
    return min(allowed, cpu.physical_cores or allowed)


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it; None if it is not there."""
    return installed_versions([distribution]).get(distribution)
