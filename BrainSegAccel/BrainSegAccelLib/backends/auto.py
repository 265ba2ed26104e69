"""Choosing a backend and a precision by measuring the candidates on this machine, once."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from ..errors import BrainSegAccelError, RunError
from ..io.atomic import atomic_write
from ..metrics.dice import dice
from ..models.package import ModelPackage
from ..system.host import cpu_name, usable_cores
from .cache import EngineCache
from .candidate import NO_REFERENCE, Candidate
from .protocol import Backend, Device, Engine, Precision

TIMED_RUNS = 3
HOPELESS = 1.5
"""A candidate whose first timed run takes this many times the fastest median is run no more."""
QUICK_SECONDS = 5.0
"""What is typically built in less is always measured; it may be the fastest of a slow machine."""
BUDGET_SECONDS = {Device.CPU: 30.0}
"""No other candidate is started that would typically be built after this. On a processor, compilers
that take longer were never faster than OpenVINO, which is always installed."""
GPU_BUDGET_SECONDS = 300.0

Array = NDArray[np.float32]
Cases = Callable[[], Sequence[tuple[Array, Array]]]
"""Prepares the calibration cases: x and availability of each, see `protocol.Engine`."""
Masks = list[NDArray[np.bool_]]
"""Of each case, where each channel is more likely than not: (C, D, H, W)."""
Option = tuple[Backend, Device, Precision]


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
    backends: Mapping[str, Backend], devices: Iterable[Device], precisions: Iterable[Precision]
) -> list[Option]:
    """Return every backend, device and precision that this machine can run.

    What is built soonest comes first.
    """
    precisions = tuple(precisions)
    found = [
        (backend, device, precision)
        for precision in precisions
        for backend in backends.values()
        for device in devices
        if backend.availability(device, precision).ok
    ]
    return sorted(found, key=lambda option: option[0].build_seconds)


def recall(options: list[Option], model: ModelPackage, cache: EngineCache) -> Choice | None:
    """Return the choice of an earlier run if nothing has changed since."""
    remembered = _read(_memory_path(options, model, cache))
    return Choice(_fastest(remembered), remembered, remembered=True) if remembered else None


def choose(
    options: list[Option],
    model: ModelPackage,
    cache: EngineCache,
    cases: Cases,
    announce: Callable[[str], None],
) -> Choice:
    """Return the fastest candidate that keeps the quality of FP32.

    Remembered from an earlier run if nothing has changed since.

    :param cases: asked for only where something has to be measured.
    :param announce: told which candidate is being measured.
    :raises RunError: none of the candidates runs, or keeps the quality.
    """
    if remembered := recall(options, model, cache):
        return remembered
    measurement = _Measurement(model, cache, cases())
    started = time.perf_counter()
    for backend, device, precision in options:
        ready = time.perf_counter() - started + backend.build_seconds
        budget = BUDGET_SECONDS.get(device, GPU_BUDGET_SECONDS)
        slow = backend.build_seconds > QUICK_SECONDS
        if slow and ready > budget:
            reason = f"takes about {backend.build_seconds:.0f} s to build"
        elif slow and (failed := measurement.failure(backend, device)):
            reason = f"failed with {failed}"
        else:
            reason = ""
        if reason:
            measurement.leave_out(backend, device, precision, reason)
            continue
        announce(f"measuring {backend.name} {precision} on {device}")
        measurement.take(backend, device, precision)
    found = measurement.compared()
    chosen = _fastest(found)
    memory = _memory_path(options, model, cache)
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(memory) as beside:
            beside.write_bytes(_CANDIDATES.dump_json(found, indent=2))
    except (OSError, BrainSegAccelError):
        pass  # Not remembering costs a measurement next time, never a result.
    return Choice(chosen, found, remembered=False)


class _Measurement:
    """Measures one candidate after the other, and at last compares their masks."""

    def __init__(
        self, model: ModelPackage, cache: EngineCache, cases: Sequence[tuple[Array, Array]]
    ) -> None:
        self._model, self._cache, self._cases = model, cache, cases
        self._found: list[tuple[Candidate, Masks]] = []
        self._fidelity: dict[str, int] = {}

    def failure(self, backend: Backend, device: Device) -> Precision | None:
        """Return a precision at which a backend was tried on a device and did not run."""
        return next(
            (
                found.precision
                for found, masks in self._found
                if (found.backend, found.device) == (backend.name, device) and not masks
            ),
            None,
        )

    def leave_out(
        self, backend: Backend, device: Device, precision: Precision, reason: str
    ) -> None:
        """Record a candidate that is not worth its build."""
        self._note(backend, device, precision, None, f"not measured: {reason}", [])

    def take(self, backend: Backend, device: Device, precision: Precision) -> None:
        """Build a candidate, run it on every case, and time it on the first."""
        known = (found.p50_ms for found, _ in self._found if found.p50_ms)
        milliseconds, reason, masks = None, NO_REFERENCE, []
        try:
            engine = backend.build(
                self._model, self._model.card.inference.window, precision, device, self._cache
            )
            masks = [engine(x, there) > 0.5 for x, there in self._cases]
            hopeless = HOPELESS * min(known, default=math.inf)
            milliseconds = _median_milliseconds(engine, *self._cases[0], hopeless)
        except Exception as error:  # A runtime that breaks is a candidate that lost, no more.
            reason = " ".join(str(error).split())[:200] or type(error).__name__
        self._note(backend, device, precision, milliseconds, reason, masks)

    def compared(self) -> tuple[Candidate, ...]:
        """Return the candidates with what each loses; nothing is told if no reference ran."""
        exact = {
            self._fidelity[found.backend]: masks
            for found, masks in self._found
            if found.precision is Precision.FP32 and found.p50_ms is not None
        }
        faithful = max(exact, default=0)
        expected = exact[faithful] if faithful else None
        candidates = []
        for found, masks in self._found:
            if found.p50_ms is not None and expected is not None:
                loss = _largest_loss(masks, expected)
                found = Candidate(**dict(found) | {"delta_dice": loss, "reason": None})
            candidates.append(found)
        return tuple(candidates)

    def _note(
        self,
        backend: Backend,
        device: Device,
        precision: Precision,
        milliseconds: float | None,
        reason: str,
        masks: Masks,
    ) -> None:
        found = Candidate(
            backend=backend.name,
            version=backend.version() or "unknown",
            precision=precision,
            device=device,
            p50_ms=milliseconds,
            delta_dice=None,
            reason=reason,
        )
        self._found.append((found, masks))
        self._fidelity[backend.name] = backend.fidelity


def _largest_loss(masks: Masks, expected: Masks) -> float:
    """Return 1 less the smallest Dice over regions and cases."""
    return 1.0 - min(
        dice(one, other)
        for mask, reference in zip(masks, expected, strict=True)
        for one, other in zip(mask, reference, strict=True)
    )


def _median_milliseconds(engine: Engine, x: Array, there: Array, hopeless: float) -> float:
    milliseconds: list[float] = []
    while len(milliseconds) < TIMED_RUNS and not (milliseconds and milliseconds[0] > hopeless):
        started = time.perf_counter()
        engine(x, there)
        milliseconds.append(1000.0 * (time.perf_counter() - started))
    return float(np.median(milliseconds))


def _fastest(candidates: tuple[Candidate, ...]) -> Candidate:
    passing = [c for c in candidates if not c.failure]
    if not passing:
        reasons = "; ".join(f"{c.backend} {c.precision}: {c.failure}" for c in candidates)
        raise RunError(
            f"no backend is fit for use on this machine ({reasons or 'none available'})",
            where="auto",
        )
    return min(passing, key=lambda c: c.p50_ms or 0.0)


def _memory_path(options: list[Option], model: ModelPackage, cache: EngineCache) -> Path:
    """Where the choice is kept: it depends on hardware, runtimes, weights, exports and shape."""
    card = model.card
    facts = [
        cpu_name(),
        usable_cores(),
        sorted((b.name, b.version(), str(device), str(p)) for b, device, p in options),
        card.weights.sha256,
        card.quantised.digest if card.quantised else None,
        card.inference.window,
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return cache.folder.parent / "choices" / f"{digest}.json"


def _read(path: Path) -> tuple[Candidate, ...]:
    """Return the remembered candidates, empty if there are none that can be read and used."""
    try:
        candidates = _CANDIDATES.validate_json(path.read_bytes())
        _fastest(candidates)
    except (OSError, ValidationError, RunError):
        return ()
    return candidates
