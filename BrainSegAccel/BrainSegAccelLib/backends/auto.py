"""Choosing a backend by measuring the candidates on this machine, once."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..errors import BrainSegAccelError, RunError
from ..files.atomic import atomic_write
from ..network.package import ModelPackage
from .cache import EngineCache
from .host import cpu_name, usable_cores
from .protocol import Backend, Device, Engine, Precision

TIMED_RUNS = 3
HOPELESS = 1.5
"""A candidate whose first timed run takes this many times the fastest median is run no more."""
BUDGET_SECONDS = 60.0
"""No further candidate is started after this; the ones measured so far decide."""


@dataclass(frozen=True)
class Candidate:
    """One measured backend.

    :param milliseconds: median of up to `TIMED_RUNS` runs after one warm-up; None if it failed.
    :param failure: why it has no time.
    """

    backend: str
    version: str
    device: Device
    precision: Precision
    milliseconds: float | None
    failure: str = ""


@dataclass(frozen=True)
class Choice:
    """What was measured and which candidate is used.

    :param remembered: True if it was measured in an earlier run on this machine.
    """

    chosen: Candidate
    candidates: tuple[Candidate, ...]
    remembered: bool


_CANDIDATES = TypeAdapter(tuple[Candidate, ...])


def candidates_here(
    backends: Mapping[str, Backend], devices: tuple[Device, ...], precision: Precision
) -> list[tuple[Backend, Device]]:
    """Return every backend and device that this machine can run at a precision."""
    return [
        (backend, device)
        for backend in backends.values()
        for device in devices
        if backend.availability(device, precision).ok
    ]


def recall(
    runnable: list[tuple[Backend, Device]],
    precision: Precision,
    model: ModelPackage,
    cache: EngineCache,
) -> Choice | None:
    """Return the choice of an earlier run if nothing has changed since."""
    remembered = _read(_memory_path(runnable, precision, model, cache))
    return Choice(_fastest(remembered), remembered, remembered=True) if remembered else None


def choose(
    runnable: list[tuple[Backend, Device]],
    precision: Precision,
    model: ModelPackage,
    cache: EngineCache,
    announce: Callable[[str], None],
) -> Choice:
    """Return the fastest candidate, remembered from an earlier run if nothing has changed since.

    :param announce: told which candidate is being measured.
    :raises RunError: none of the candidates runs.
    """
    if remembered := recall(runnable, precision, model, cache):
        return remembered
    memory = _memory_path(runnable, precision, model, cache)
    measured: list[Candidate] = []
    started = time.perf_counter()
    for backend, device in runnable:
        if measured and time.perf_counter() - started > BUDGET_SECONDS:
            break
        announce(f"measuring {backend.name} on {device}")
        fastest = min((c.milliseconds for c in measured if c.milliseconds), default=math.inf)
        measured.append(_measure(backend, device, precision, model, cache, fastest))
    found = tuple(measured)
    chosen = _fastest(found)
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(memory) as beside:
            beside.write_text(json.dumps([asdict(c) for c in found], indent=2))
    except (OSError, BrainSegAccelError):
        pass  # Not remembering costs a measurement next time, never a result.
    return Choice(chosen, found, remembered=False)


def _measure(
    backend: Backend,
    device: Device,
    precision: Precision,
    model: ModelPackage,
    cache: EngineCache,
    fastest: float,
) -> Candidate:
    version = backend.version() or ""
    try:
        engine = backend.build(model, model.card.shape, precision, device, cache)
        milliseconds = _median_milliseconds(engine, HOPELESS * fastest)
    except Exception as error:  # A runtime that breaks is a candidate that lost, not a failed run.
        reason = " ".join(str(error).split())[:200]
        return Candidate(backend.name, version, device, precision, None, reason)
    return Candidate(backend.name, version, device, precision, milliseconds)


def _median_milliseconds(engine: Engine, hopeless: float) -> float:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 4, *engine.info.shape), dtype=np.float32)
    availability = np.ones((1, 4), dtype=np.float32)
    engine(x, availability)
    milliseconds: list[float] = []
    while len(milliseconds) < TIMED_RUNS and not (milliseconds and milliseconds[0] > hopeless):
        started = time.perf_counter()
        engine(x, availability)
        milliseconds.append(1000.0 * (time.perf_counter() - started))
    return float(np.median(milliseconds))


def _fastest(candidates: tuple[Candidate, ...]) -> Candidate:
    timed = [c for c in candidates if c.milliseconds is not None]
    if not timed:
        reasons = "; ".join(f"{c.backend}: {c.failure}" for c in candidates) or "none available"
        raise RunError(f"no backend runs on this machine ({reasons})", where="auto")
    return min(timed, key=lambda c: c.milliseconds or 0.0)


def _memory_path(
    runnable: list[tuple[Backend, Device]],
    precision: Precision,
    model: ModelPackage,
    cache: EngineCache,
) -> Path:
    """Where the choice is kept: it depends on hardware, runtimes, weights, shape and precision."""
    facts = [
        cpu_name(),
        usable_cores(),
        sorted((backend.name, backend.version(), str(device)) for backend, device in runnable),
        model.card.weights.sha256,
        model.card.shape,
        precision,
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return cache.folder.parent / "choices" / f"{digest}.json"


def _read(path: Path) -> tuple[Candidate, ...]:
    """Return the remembered candidates, empty if there are none that can be read."""
    try:
        candidates = _CANDIDATES.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return ()
    return candidates if any(c.milliseconds is not None for c in candidates) else ()
