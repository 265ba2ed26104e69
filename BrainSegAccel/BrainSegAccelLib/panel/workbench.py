"""The working panel: buttons, runs and results on one parameter node at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import slicer
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _

from ..errors import InputError
from ..mrml.contents import edited_by_the_user
from ..mrml.measurements import write_measurements
from ..mrml.roi import roi_from_node
from ..mrml.volumes import VolumeReader
from ..worker.client import Worker
from ..worker.messages import Event, Failed, ListBackends, Listed, Progress
from .batch import Batch
from .choices import Selectors
from .history import History
from .measure import benchmarkSummary, qualitySummary, racers
from .model_outputs import outputsOf
from .options import optionsOf, refinementOf
from .parameters import BrainSegAccelParameterNode, inputsOf, modelOf
from .questions import Overwrite, Questions
from .readiness import whatIsMissing
from .refinement import Relabelling
from .result_view import ResultView
from .running import RunDisplay
from .scene_run import Finished, SceneRequest, SceneRun, Stopped
from .sliders import Sliders
from .tasks import Tasks


class Workbench:
    """Everything that needs the library's packages; the panel makes it once they are there.

    :param ui: the widgets of ``BrainSegAccel.ui`` by name.
    :param worker: is closed by `close`.
    :param questions: answers for the user.
    """

    def __init__(self, ui: Any, worker: Worker, questions: Questions) -> None:
        self._ui = ui
        self._questions = questions
        self._tasks, self._reader = Tasks(worker), VolumeReader()
        self._history = History()
        self._relabelling = Relabelling(self._history, questions, self.update)
        self._sliders = Sliders(ui)
        self._selectors = Selectors(ui)
        self._display = RunDisplay(ui, questions)
        self._results = ResultView(ui, questions)
        self._batch = Batch(
            ui,
            self._tasks,
            self._reader,
            self._onBatchProgress,
            self._adopt,
            self._onBatchEnd,
        )
        self._parameters: BrainSegAccelParameterNode | None = None
        self._run: SceneRun | None = None
        self._owner: BrainSegAccelParameterNode | None = None
        self._waiting: list[SceneRequest] = []
        self._racing = self._batching = False
        self._shown: vtkMRMLSegmentationNode | None = None
        for button, act in (
            (ui.applyButton, self.apply),
            (ui.cancelButton, self.cancel),
            (ui.undoButton, self._undo),
            (ui.roiRunButton, self._runInRoi),
            (ui.benchmarkButton, self._benchmark),
            (ui.verifyButton, self._verify),
            (ui.compareButton, self._compare),
            (ui.findStudiesButton, self._findStudies),
            (ui.batchButton, self._startBatch),
        ):
            button.clicked.connect(self._slot(act))
        self._results.show(None)
        self._tasks.submit(ListBackends(), self._onListed)

    @property
    def running(self) -> bool:
        """Whether a run, a measurement or a batch is in progress."""
        return self._run is not None or bool(self._waiting) or self._batching

    @property
    def _now(self) -> BrainSegAccelParameterNode:
        assert self._parameters is not None, "buttons are shown with a parameter node only"
        return self._parameters

    def _slot(self, act: Callable[[], None]) -> Callable[..., None]:
        """Return a slot that says what is unusable, and ignores whether a button is checked."""

        def slot(*_checked: bool) -> None:
            try:
                act()
            except InputError as error:
                self._display.say(str(error), error=True)

        return slot

    def setParameters(self, parameters: BrainSegAccelParameterNode | None) -> None:
        """Work on a parameter node, or on none; a run in progress keeps its own."""
        self._parameters = parameters
        self._selectors.setParameters(parameters)
        self.update()

    def update(self) -> None:
        """Show what the parameter node says now; labels follow the sliders."""
        ui, parameters = self._ui, self._parameters
        if parameters is None:
            return
        self._selectors.update()
        missing = whatIsMissing(parameters, self._selectors.impossible(), self.running)
        node = parameters.segmentation
        probabilities = self._relabelling.probabilities(node)
        ui.applyButton.enabled = not missing
        ui.applyButton.toolTip = missing or _("Segment the selected volumes")
        ui.applyHint.text = missing
        ui.applyHint.visible = bool(missing) and not self.running
        for button in (ui.benchmarkButton, ui.verifyButton, ui.compareButton):
            button.enabled = not missing
        ui.roiRunButton.enabled = not missing and parameters.roi is not None
        ui.findStudiesButton.enabled = not self.running
        ui.batchButton.enabled = not self.running and ui.batchView.rowCount > 0
        ui.undoButton.enabled = not self.running and self._history.canUndo(node)
        outputs = (
            probabilities.outputs if probabilities is not None else outputsOf(modelOf(parameters))
        )
        self._sliders.show(
            parameters, outputs, usable=probabilities is not None and not self.running
        )
        if node is not self._shown:
            self._shown = node
            self._results.show(node)
        elif not self.running:
            self._relabelling.request(node, refinementOf(parameters, outputs))

    def apply(self) -> None:
        """Segment the selected volumes; the user's work is only replaced after a question."""
        output = self._now.segmentation
        if output is not None and edited_by_the_user(output):
            answer = self._questions.overwrite(output.GetName())
            if answer is Overwrite.CANCEL:
                return
            output = output if answer is Overwrite.REPLACE else None
        self._start([replace(self._request(), output=output)])

    def cancel(self) -> None:
        """Stop what is in progress."""
        self._waiting.clear()
        if self._batching:
            self._batch.cancel()
        elif self._run is not None:
            self._run.cancel()

    def sceneCloses(self) -> None:
        """Let go of the scene; runs in progress are cancelled without a word."""
        self._waiting.clear()
        self._batching = False
        self._batch.abandon()
        if self._run is not None:
            self._run.abandon()
            self._run = None
        self._reader.forget()
        self._relabelling.forgetAll()
        self._history.forgetAll()
        self._shown = None
        self._results.show(None)
        self._display.end()
        self._display.say("")

    def close(self) -> None:
        """End the worker."""
        self.sceneCloses()
        self._tasks.close()

    def onProgress(self, progress: Progress) -> None:
        """Show how the run gets on."""
        self._display.show(progress)

    def onEnd(self, outcome: Finished | Stopped) -> None:
        """Show how the run ended, and go on with what waits."""
        self._run = None
        if isinstance(outcome, Finished):
            self._adopt(outcome)
            if self._owner is not None:
                self._owner.segmentation = outcome.node
            measured = (benchmarkSummary(outcome.manifest), qualitySummary(outcome.manifest))
            self._display.say(" ".join([*filter(None, measured), *outcome.notes]))
            self._show(outcome.node)
        else:
            self._waiting = self._waiting if outcome.message else []
            message = outcome.message or _("Cancelled; nothing was changed.")
            self._display.say(message, error=bool(outcome.message), log=outcome.log)
        if self._waiting:
            self._next()
        else:
            self._display.end()
            if self._racing:
                self._results.showChart()
            self._racing = False
            self.update()

    def _request(self) -> SceneRequest:
        parameters = self._now
        return SceneRequest(
            inputsOf(parameters),
            optionsOf(parameters),
            output=parameters.segmentation,
            brainMask=parameters.brainMask,
        )

    def _start(self, requests: list[SceneRequest]) -> None:
        self._owner = self._parameters
        self._waiting = requests
        self._next()

    def _next(self) -> None:
        request = self._waiting.pop(0)
        options = request.options
        self._display.begin(options.engine.backend if self._waiting or options.iterations else "")
        self._run = SceneRun(request, self._tasks, self._reader, self)
        self.update()

    def _adopt(self, outcome: Finished) -> None:
        """Keep what a run leaves behind for sliders and undo."""
        if outcome.previous is not None:
            self._history.remember(outcome.node, outcome.previous)
        self._relabelling.remember(outcome)
        write_measurements(outcome.node, outcome.manifest)

    def _show(self, node: vtkMRMLSegmentationNode) -> None:
        self._shown = node
        self._results.show(node)

    def _runInRoi(self) -> None:
        roi = roi_from_node(self._now.roi)
        base = self._relabelling.probabilities(self._now.segmentation)
        self._start([self._request().asking(roi=roi, base=base)])

    def _benchmark(self) -> None:
        self._start([self._measuring(iterations=self._now.iterations)])

    def _verify(self) -> None:
        self._start([self._measuring(verify=True)])

    def _compare(self) -> None:
        request = self._measuring(iterations=self._now.iterations)
        requests = racers(request, self._selectors.combinations)
        if requests:
            self._racing = True
            self._start(requests)

    def _measuring(self, **options: Any) -> SceneRequest:
        return replace(self._request().asking(**options), measureOnly=True)

    def _undo(self) -> None:
        self._history.undo(self._now.segmentation)
        self._show(self._now.segmentation)

    def _findStudies(self) -> None:
        found = self._batch.find()
        self._display.say(_("Studies found: {count}.").format(count=found))
        self.update()

    def _startBatch(self) -> None:
        parameters, request = self._now, self._request()
        if parameters.batchTable is None:
            parameters.batchTable = slicer.mrmlScene.AddNewNodeByClass(
                "vtkMRMLTableNode", "BrainSegAccel batch"
            )
        self._batching = True
        self._display.begin()
        self._batch.start(parameters.batchTable, request)
        self.update()

    def _onBatchProgress(self, prefix: str, progress: Progress) -> None:
        self._display.begin(prefix)
        self._display.show(progress)

    def _onBatchEnd(self, message: str) -> None:
        self._batching = False
        self._display.end()
        self._display.say(message)
        self.update()

    def _onListed(self, event: Event) -> None:
        if isinstance(event, Listed):
            self._selectors.setCombinations(event.combinations)
        elif isinstance(event, Failed):
            self._display.say(event.message, error=True, log=event.log)
        self.update()
