"""A model with its engine: built once, run on any study."""

from __future__ import annotations

from pathlib import Path

from ..backends.auto import Choice, Option, candidates_here, choose, recall
from ..backends.cache import EngineCache
from ..backends.choice import AUTO, EngineChoice
from ..backends.protocol import Device, Engine, Precision
from ..backends.registry import backends, require, suits
from ..errors import UnavailableError
from ..inference.brain_finder import find_brain
from ..inference.calibration import sample_case
from ..inference.region import crop_to_roi
from ..inference.result import RunResult
from ..inference.sliding_window import count_windows, sliding_window_inference
from ..models.card import ModelCard
from ..models.package import DEFAULT_MODEL, ModelPackage, load_package
from ..postprocessing.kept import KeptProbabilities, merge
from ..postprocessing.refine import refine
from ..postprocessing.resample import resample_probabilities
from ..preprocessing.brain_extraction import FindBrain
from ..preprocessing.preprocess import preprocess
from ..preprocessing.registration.protocol import Registration
from ..preprocessing.registration.refine import SimpleItkRegistration
from ..study.study import Study
from .options import RunOptions
from .progress import StageClock
from .target import check_target, locate


class Pipeline:
    """Holds one model and its engine, and runs studies through them.

    The request is checked here; the engine is built by the first run, or by `warm`.

    :param model: a model, the name of a shipped one, or the path of a model card or its folder.
    :param engine: ``auto`` measures which backend is fastest; ``auto`` of the precision is FP32
        with a named backend, the one that needs no check, else the fastest that keeps its quality.
    :param cache: where engines and choices are kept.
    :param registration: how modalities are registered; default: with SimpleITK.
    :param find_brain: how the brain is found; default: with the network that ships.
    :raises UnavailableError: this machine cannot run what is asked for, and why.
    :raises InputError: there is no such model.
    :raises ModelError: its files cannot be trusted.
    """

    def __init__(
        self,
        model: str | Path | ModelPackage = DEFAULT_MODEL,
        engine: EngineChoice | None = None,
        cache: EngineCache | None = None,
        registration: Registration | None = None,
        find_brain: FindBrain = find_brain,
    ) -> None:
        self._asked = engine or EngineChoice()
        if self._asked.backend != AUTO:
            self._require_one(self._asked.backend)
        self.package = model if isinstance(model, ModelPackage) else load_package(model)
        self.package.require_task("tumour")
        if self._asked.backend != AUTO:
            self._require_one(self._asked.backend, self.package.card)
        if self._asked.precision == Precision.INT8:
            self.package.quantised()
        if self._asked.backend == AUTO and not self._runnable():
            raise UnavailableError(
                f"no backend runs {self._asked.precision} of {self.package.card.name} on "
                f"{self._asked.device} here",
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
        if self._asked.backend != AUTO or self._engine is not None:
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
        self, study: Study, options: RunOptions | None = None, clock: StageClock | None = None
    ) -> RunResult:
        """Segment a study.

        :param options: model and engine are those of this pipeline, whatever they say; nothing is
            timed or verified here.
        :param clock: times the stages; pass the one that timed reading to have it in the record.
        :raises InputError: the region of interest lies outside of the head, the earlier result on
            another grid, or the brain mask elsewhere; the result is to overlay a modality that
            was not given; a threshold is of a region that the model does not have.
        :raises RunError: a brain was asked for and not found.
        """
        options, clock = options or RunOptions(), clock or StageClock()
        card = self.package.card
        outputs, window = card.outputs, card.inference.window
        resolved = options.refinement.resolve(outputs)
        check_target(options, study)
        engine = self.warm(clock)
        given = preprocess(
            study,
            card.inputs,
            window,
            options.preprocessing,
            find_brain=self._find_brain,
            registration=self._registration,
            brain_mask=options.brain_mask,
            clock=clock,
        )
        if options.roi is not None:
            with clock.stage("preprocess"):
                given = crop_to_roi(given, options.roi, window)
        with clock.stage("network") as progress:
            probabilities = sliding_window_inference(
                engine,
                given.x,
                given.availability,
                card.inference,
                outputs,
                progress.advance,
            )
        with clock.stage("postprocess"):
            model_grid, grid = locate(options.grid, study, given)
            kept = resample_probabilities(probabilities, outputs, model_grid, grid)
            if options.roi is not None:
                base = options.base or KeptProbabilities.nothing(grid, outputs)
                kept = merge(base, kept, options.roi)
            segmentation = refine(kept, resolved)
        return RunResult(
            segmentation=segmentation,
            kept=kept,
            refinement=resolved,
            probabilities=probabilities,
            network_input=given,
            engine=engine.info,
            windows=count_windows(given.grid.shape, card.inference),
            overlap=card.inference.overlap,
            window_shape=window,
            stages_ms=clock.stages_ms,
        )

    def _decide(self, clock: StageClock) -> tuple[str, Device, Precision]:
        asked = self._asked.backend
        if asked != AUTO:
            return asked, self._require_one(asked), self._asked.precisions[0]
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
        precisions = self._asked.precisions
        if self.package.card.quantised is None:
            precisions = tuple(p for p in precisions if p is not Precision.INT8)
        card = self.package.card
        able = {name: each for name, each in backends().items() if suits(each, card).ok}
        return candidates_here(able, self._asked.devices, precisions)

    def _require_one(self, backend: str, card: ModelCard | None = None) -> Device:
        """Return the first asked-for device on which a backend runs.

        :raises UnavailableError: for the last of them, if it runs on none.
        """
        precision = self._asked.precisions[0]
        for device in self._asked.devices:
            if backend in backends() and backends()[backend].availability(device, precision).ok:
                require(backend, device, precision, card)
                return device
        usual = Device.CPU if Device.CPU in self._asked.devices else self._asked.devices[0]
        require(backend, usual, precision, card)
        return usual
