"""The main job: a study in, a segmentation and the record of the run out."""

from __future__ import annotations

from pathlib import Path

from ..backends.auto import Choice, Option, candidates_here, choose, recall
from ..backends.cache import EngineCache
from ..backends.protocol import Device, Engine, Precision
from ..backends.registry import backends, require
from ..errors import UnavailableError
from ..geometry.roi import Roi
from ..geometry.volume import Volume
from ..inference.brain_finder import find_brain
from ..inference.calibration import sample_case
from ..inference.region import crop_to_roi
from ..inference.sliding_window import count_windows, infer
from ..models.package import DEFAULT_MODEL, ModelPackage, load_package
from ..postprocessing.kept import KeptProbabilities, merge
from ..postprocessing.refine import refine
from ..postprocessing.refinement import Refinement
from ..postprocessing.resample import resample_probabilities
from ..preprocessing.brain_extraction import FindBrain
from ..preprocessing.options import PreprocessingOptions
from ..preprocessing.preprocess import preprocess
from ..preprocessing.registration.protocol import Registration
from ..preprocessing.registration.refine import SimpleItkRegistration
from ..study.study import Study
from .progress import StageClock
from .result import RunResult
from .target import Target, locate

AUTO = "auto"


def parse_precisions(name: str) -> tuple[Precision, ...]:
    """Return the precisions of a request, FP32 first; ``auto`` is all of them.

    :raises UnavailableError: there is no such precision.
    """
    if name == AUTO:
        return tuple(Precision)
    if name not in list(Precision):
        raise UnavailableError(
            f"unknown precision {name!r}", remedy=f"use one of {', '.join([AUTO, *Precision])}"
        )
    return (Precision(name),)


def parse_devices(name: str) -> tuple[Device, ...]:
    """Return the devices of a request, in order of preference; ``auto`` is all of them.

    :raises UnavailableError: there is no such device.
    """
    if name == AUTO:
        return (Device.CUDA, Device.CPU, Device.COREML, Device.DIRECTML)
    if name not in list(Device):
        raise UnavailableError(
            f"unknown device {name!r}", remedy=f"use one of {', '.join([AUTO, *Device])}"
        )
    return (Device(name),)


class Pipeline:
    """Holds one model and its engine, and runs studies through them.

    The request is checked here; the engine is built by the first run, or by `warm`.

    :param backend: name of a backend, or ``auto`` to measure which is fastest.
    :param precision: a `Precision`; or ``auto``, which with a named backend is FP32, the one that
        needs no check, else the fastest that keeps the quality of FP32.
    :param device: ``auto`` or a `Device`.
    :param model: a model, the name of a shipped one, or the path of a model card or its folder.
    :param cache: where engines and choices are kept.
    :param registration: how modalities are registered; default: with SimpleITK.
    :param find_brain: how the brain is found; default: with the network that ships.
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
        registration: Registration | None = None,
        find_brain: FindBrain = find_brain,
    ) -> None:
        self._precisions = parse_precisions(precision)
        self._devices = parse_devices(device)
        self._backend = backend
        if backend != AUTO:
            self._require_one(backend)
        self.package = model if isinstance(model, ModelPackage) else load_package(model)
        if self._precisions == (Precision.INT8,):
            self.package.quantised()
        if backend == AUTO and not self._runnable():
            raise UnavailableError(
                f"no backend runs {precision} of {self.package.card.name} on {device} here",
                remedy="brainsegaccel info says what is missing, and export --int8 makes INT8",
            )
        self._cache = cache or EngineCache()
        self._registration = registration or SimpleItkRegistration()
        self._find_brain = find_brain
        self._engine: Engine | None = None
        self.choice: Choice | None = None

    @property
    def settled(self) -> bool:
        """Whether the backend is known without measuring."""
        if self._backend != AUTO or self._engine is not None:
            return True
        return recall(self._runnable(), self.package, self._cache) is not None

    def warm(self, clock: StageClock | None = None) -> Engine:
        """Build the engine, or load it from the cache, unless it is there already."""
        if self._engine is None:
            clock = clock or StageClock()
            backend, device, precision = self._decide(clock)
            with clock.stage("engine"):
                self._engine = require(backend, device, precision).build(
                    self.package, self.package.card.inference.window, precision, device, self._cache
                )
        return self._engine

    def run(
        self,
        study: Study,
        clock: StageClock | None = None,
        *,
        options: PreprocessingOptions | None = None,
        brain_mask: Volume | None = None,
        refinement: Refinement | None = None,
        target: Target | None = None,
        roi: Roi | None = None,
        base: KeptProbabilities | None = None,
    ) -> RunResult:
        """Segment a study.

        :param clock: times the stages; pass the one that timed reading to have it in the record.
        :param options: of preprocessing; default: the usual ones.
        :param brain_mask: what is not 0 in it is brain, in the patient space of the reference;
            default: see ``options``.
        :param refinement: thresholds and smallest lesion; default: the model's own.
        :param target: what the result overlays; default: the reference.
        :param roi: run only around this box, and change nothing outside of it.
        :param base: what an earlier run found, to stay outside of ``roi``; default: no tumour.
        :raises InputError: ``roi`` lies outside of the head, ``base`` on another grid, or
            ``brain_mask`` elsewhere; ``refinement`` names a region that the model does not have.
        :raises RunError: a brain was asked for and not found.
        """
        clock = clock or StageClock()
        card = self.package.card
        outputs = card.outputs
        resolved = (refinement or Refinement()).resolve(outputs)
        engine = self.warm(clock)
        window = engine.info.shape
        given = preprocess(
            study,
            card.inputs,
            card.inference.window,
            options,
            find_brain=self._find_brain,
            registration=self._registration,
            brain_mask=brain_mask,
            clock=clock,
        )
        if roi is not None:
            with clock.stage("preprocess"):
                given = crop_to_roi(given, roi, window)
        with clock.stage("network") as progress:
            probabilities = infer(engine, given.x, given.availability, progress.advance)
        with clock.stage("postprocess"):
            model_grid, grid = locate(target or study.reference, study, given)
            kept = resample_probabilities(probabilities, outputs, model_grid, grid)
            if roi is not None:
                kept = merge(base or KeptProbabilities.nothing(grid, outputs), kept, roi)
            segmentation = refine(kept, resolved)
        return RunResult(
            segmentation=segmentation,
            kept=kept,
            refinement=resolved,
            probabilities=probabilities,
            network_input=given,
            engine=engine.info,
            windows=count_windows(given.grid.shape, window),
            window_shape=window,
            stages_ms=clock.stages_ms,
        )

    def _decide(self, clock: StageClock) -> tuple[str, Device, Precision]:
        if self._backend != AUTO:
            return self._backend, self._require_one(self._backend), self._precisions[0]
        with clock.stage("choose backend"):
            self.choice = choose(
                self._runnable(),
                self.package,
                self._cache,
                lambda: [sample_case(self.package.card, self._find_brain)],
                clock.progress.begin,
            )
        chosen = self.choice.chosen
        return chosen.backend, chosen.device, chosen.precision

    def _runnable(self) -> list[Option]:
        """Return what ``auto`` chooses from; INT8 only of a model that has an export for it."""
        precisions = self._precisions
        if self.package.card.quantised is None:
            precisions = tuple(p for p in precisions if p is not Precision.INT8)
        return candidates_here(backends(), self._devices, precisions)

    def _require_one(self, backend: str) -> Device:
        """Return the first asked-for device on which a backend runs.

        :raises UnavailableError: for the last of them, if it runs on none.
        """
        precision = self._precisions[0]
        for device in self._devices:
            if backend in backends() and backends()[backend].availability(device, precision).ok:
                return device
        usual = Device.CPU if Device.CPU in self._devices else self._devices[0]
        require(backend, usual, precision)
        return usual
