"""What this machine can run: every backend at every precision on every device."""

from __future__ import annotations

from dataclasses import dataclass

from .protocol import Availability, Device, Precision
from .registry import backends


@dataclass(frozen=True)
class Combination:
    """One backend at one precision on one device.

    :param version: of its runtime; None if that is not installed.
    """

    backend: str
    version: str | None
    device: Device
    precision: Precision
    availability: Availability


def survey() -> tuple[Combination, ...]:
    """Return every combination, available or not."""
    return tuple(
        Combination(
            name, backend.version(), device, precision, backend.availability(device, precision)
        )
        for name, backend in sorted(backends().items())
        for device in Device
        for precision in Precision
    )
