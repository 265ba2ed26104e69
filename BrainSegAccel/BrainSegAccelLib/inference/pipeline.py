"""The main job: a study in, a segmentation and the record of the run out."""

from __future__ import annotations

from pathlib import Path

from ..backends.auto import Choice, candidates_here, choose
from ..backends.cache import EngineCache
from ..backends.protocol import Device, Engine, Precision
from ..backends.registry import backends, require
from ..errors import UnavailableError
from ..network.package import DEFAULT_MODEL, ModelPackage, load_package
from ..postprocessing.restore import segment
from ..preprocessing.network_input import prepare
from ..study import Study
from .progress import StageClock
from .result import RunResult
from .sliding_window import count_windows, infer

AUTO = "auto"


def parse_precision(name: str) -> Precision:
    """Return the precision of a request; ``auto`` is FP32, the one that needs no quality check.

    :raises UnavailableError: there is no such precision.
    """
    if name == AUTO:
        return Precision.FP32
    if name not in list(Precision):
        raise UnavailableError(
            f"unknown precision {name!r}", remedy=f"use one of {', '.join([AUTO, *Precision])}"
        )
    return Precision(name)


def parse_devices(name: str) -> tuple[Device, ...]:
    """Return the devices of a request, in order of preference; ``auto`` is all of them.

    :raises UnavailableError: there is no such device.
    """
    if name == AUTO:
        return (Device.CUDA, Device.CPU)
    if name not in list(Device):
        raise UnavailableError(
            f"unknown device {name!r}", remedy=f"use one of {', '.join([AUTO, *Device])}"
        )
    return (Device(name),)


class Pipeline:
    """Holds one model and its engine, and runs studies through them.

    The request is checked here; the engine is built by the first run, or by `warm`.

    :param backend: name of a backend, or ``auto`` to measure which is fastest.
    :param precision: ``auto`` or a `Precision`.
    :param device: ``auto`` or a `Device`.
    :param model: name of a shipped model or path of a model card.
    :param cache: where engines and choices are kept.
    :raises UnavailableError: this machine cannot run what is asked for, and why.
    :raises InputError: there is no such model.
    :raises ModelError: its files cannot be trusted.
    """

    def __init__(
        self,
        backend: str = AUTO,
        precision: str = AUTO,
        device: str = AUTO,
        model: str | Path | ModelPackage = DEFAULT_MODEL,
        cache: EngineCache | None = None,
    ) -> None:
        self.precision = parse_precision(precision)
        self._devices = parse_devices(device)
        self._backend = backend
        if backend != AUTO:
            self._require_one(backend)
        elif not candidates_here(backends(), self._devices, self.precision):
            raise UnavailableError(
                f"no backend runs {self.precision} on {device} here",
                remedy="brainsegaccel info says what is missing",
            )
        self.package = model if isinstance(model, ModelPackage) else load_package(model)
        self._cache = cache or EngineCache()
        self._engine: Engine | None = None
        self.choice: Choice | None = None

    def warm(self, clock: StageClock | None = None) -> Engine:
        """Build the engine, or load it from the cache, unless it is there already."""
        if self._engine is None:
            clock = clock or StageClock()
            backend, device = self._decide(clock)
            with clock.stage("engine"):
                self._engine = require(backend, device, self.precision).build(
                    self.package, self.package.card.shape, self.precision, device, self._cache
                )
        return self._engine

    def run(self, study: Study, clock: StageClock | None = None) -> RunResult:
        """Segment a study.

        :param clock: times the stages; pass the one that timed reading to have it in the record.
        """
        clock = clock or StageClock()
        engine = self.warm(clock)
        window = engine.info.shape
        with clock.stage("preprocess"):
            seen = prepare(study, window)
        with clock.stage("network") as progress:
            probabilities = infer(engine, seen.x, seen.availability, progress.advance)
        with clock.stage("postprocess"):
            segmentation = segment(probabilities, seen.grid, study.reference_grid)
        return RunResult(
            segmentation=segmentation,
            probabilities=probabilities,
            preprocessing=seen.record,
            engine=engine.info,
            windows=count_windows(seen.grid.shape, window),
            window_shape=window,
            stages_ms=clock.stages_ms,
        )

    def _decide(self, clock: StageClock) -> tuple[str, Device]:
        if self._backend != AUTO:
            return self._backend, self._require_one(self._backend)
        runnable = candidates_here(backends(), self._devices, self.precision)
        with clock.stage("choose backend"):
            self.choice = choose(
                runnable, self.precision, self.package, self._cache, clock.progress.begin
            )
        return self.choice.chosen.backend, self.choice.chosen.device

    def _require_one(self, backend: str) -> Device:
        """Return the first asked-for device on which a backend runs.

        :raises UnavailableError: for the last of them, if it runs on none.
        """
        for device in self._devices[:-1]:
            if (
                backend in backends()
                and backends()[backend].availability(device, self.precision).ok
            ):
                return device
        require(backend, self._devices[-1], self.precision)
        return self._devices[-1]
