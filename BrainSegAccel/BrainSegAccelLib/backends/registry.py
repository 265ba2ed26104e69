"""The backends: every module of this folder that defines ``BACKEND`` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from ..errors import UnavailableError
from .protocol import Availability, Backend, Device, Precision

if TYPE_CHECKING:
    from ..models.card import ModelCard


@cache
def backends() -> dict[str, Backend]:
    """Return every backend by name. Imports their files, not their runtimes."""
    package = importlib.import_module(__package__)
    found: dict[str, Backend] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{__package__}.{module_info.name}")
        backend: Backend | None = getattr(module, "BACKEND", None)
        if backend is not None:
            found[backend.name] = backend
    return found


def opened_soonest(device: Device, precision: Precision) -> Backend:
    """Return the backend whose first engine is there soonest, for work too small to be compiled.

    One that opens the export as it is goes before those that build.

    :raises UnavailableError: none runs here as asked.
    """
    able = [b for b in backends().values() if b.availability(device, precision).ok]
    if not able:
        raise UnavailableError(
            f"no backend runs {precision} on {device} here",
            remedy="brainsegaccel info says what is missing",
        )
    return min(able, key=lambda backend: (not backend.opens_at_once, backend.build_seconds))


def suits(backend: Backend, card: ModelCard) -> Availability:
    """Say whether a backend runs a model's network, on whichever machine."""
    if backend.from_export or card.network.kind != "graph":
        return Availability.yes()
    able = [name for name, other in backends().items() if other.from_export]
    return Availability.no(
        f"{card.name} is an ONNX graph, and no network in PyTorch", f"use {' or '.join(able)}"
    )


def references(card: ModelCard) -> list[Backend]:
    """Return the backends whose FP32 others are compared with, the most faithful first."""
    able = [b for b in backends().values() if b.fidelity and suits(b, card).ok]
    return sorted(able, key=lambda backend: -backend.fidelity)


def require(
    name: str, device: Device, precision: Precision, card: ModelCard | None = None
) -> Backend:
    """Return a backend that runs here as asked.

    :param card: of the model that it is to run, too.
    :raises UnavailableError: there is no such backend, or this machine cannot run it, or it not the
        model; the message says why and what would change it.
    """
    backend = backends().get(name)
    if backend is None:
        known = ", ".join(["auto", *backends()])
        raise UnavailableError(f"unknown backend {name!r}", remedy=f"use one of {known}")
    answer = backend.availability(device, precision)
    if answer.ok and card is not None:
        answer = suits(backend, card)
    if not answer.ok:
        raise UnavailableError(
            f"{name} cannot run {precision} on {device} here: {answer.reason}",
            remedy=answer.remedy,
        )
    return backend
