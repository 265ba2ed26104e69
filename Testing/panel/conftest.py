"""The module, opened on the stand-in for Slicer, and a worker to go with it.

Most tests hand in a worker that does its work in this process, so that a test decides when what
happens; `test_process.py` has the real one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Availability, Device, Precision
from BrainSegAccelLib.backends.survey import Combination
from BrainSegAccelLib.errors import BrainSegAccelError
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.client import State
from BrainSegAccelLib.worker.messages import ListBackends, Segment, WarmUp
from BrainSegAccelLib.worker.session import Session

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "slicer_standin"))
try:
    # Before the tests are imported: they import the panel, which imports qt and slicer.
    import start

    slicer_module, without_qt = start.start(), ""
except ImportError as error:
    without_qt = f"Testing/panel was not run, Qt cannot be loaded: {error}; see .ci/run"
    collect_ignore_glob = ["test_*.py"]

MODULE = ROOT / "BrainSegAccel" / "BrainSegAccel.py"
COMBINATIONS = (
    Combination("eager", None, Device.CPU, Precision.FP32, Availability.no("no PyTorch", "get it")),
    Combination("onnxruntime", "1", Device.CPU, Precision.FP32, Availability.yes()),
    Combination("onnxruntime", "1", Device.CPU, Precision.FP16, Availability.no("slow", "a GPU")),
    Combination("onnxruntime", "1", Device.CUDA, Precision.FP32, Availability.no("no GPU", "buy")),
)


def pytest_terminal_summary(terminalreporter) -> None:
    """Say why the panel was not tested."""
    if without_qt:
        terminalreporter.write_line(without_qt, yellow=True)


class WorkerHere:
    """A worker that does its tasks within `poll`.

    :param hold: nothing gets on while it is true, as in a long run.
    :param failure: the next task ends with it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: list[tuple[int, object]] = []
        self._number = 0
        self._cancelled: set[int] = set()
        self.hold = False
        self.failure: tuple[str, tuple[str, ...]] | None = None
        self.requests: list[Segment] = []
        self.closed = False

    state = State.IDLE

    @property
    def tasks(self) -> tuple[int, ...]:
        return tuple(number for number, _ in self._queue)

    def start(self) -> None:
        """Nothing has to start."""

    def submit(self, request) -> int:
        self._number += 1
        self._queue.append((self._number, request))
        return self._number

    def cancel(self, task: int) -> None:
        self._cancelled.add(task)

    def close(self) -> None:
        self.closed = True

    def poll(self) -> list[messages.Event]:
        if not self._queue:
            return []
        number, request = self._queue[0]
        if number in self._cancelled:
            return self._answer(messages.Cancelled(task=number, warm=True))
        if self.hold:
            progress = {"stage": "network", "fraction": 0.45, "seconds_left": 12.3}
            return [messages.Progress(task=number, **progress)]
        if self.failure is not None:
            (message, log), self.failure = self.failure, None
            return self._failed(message, log=log)
        if isinstance(request, ListBackends):
            return self._answer(messages.Listed(task=number, combinations=COMBINATIONS))
        assert not isinstance(request, WarmUp)
        self.requests.append(request)
        try:
            result, manifest = self._session.segment(request, StageClock())
        except BrainSegAccelError as error:
            return self._failed(str(error), unusable_input=error.exit_code == 2)
        except Exception as error:
            return self._failed(repr(error))
        return self._answer(
            messages.Segmented(
                task=number,
                segmentation=result.segmentation,
                kept=result.kept,
                manifest=manifest,
            )
        )

    def _failed(
        self, message: str, unusable_input: bool = False, log: tuple[str, ...] = ()
    ) -> list[messages.Event]:
        number = self._queue[0][0]
        return self._answer(
            messages.Failed(task=number, message=message, unusable_input=unusable_input, log=log)
        )

    def _answer(self, event: messages.Event) -> list[messages.Event]:
        self._queue.pop(0)
        return [event]


@dataclass
class Answers:
    """Answers for the user, and remembers what was asked."""

    asked: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    overwriting: object = None
    discarding: bool = True
    installing: bool = True
    path: str = ""

    def overwrite(self, name: str):
        self.asked.append(name)
        return self.overwriting

    def discard(self, name: str) -> bool:
        self.asked.append(name)
        return self.discarding

    def install(self, text: str, details: str) -> bool:
        self.asked.append(f"{text}\n{details}")
        return self.installing

    def saveAs(self, title: str, suggestion: str, filters: str) -> str:
        return self.path

    def show(self, title: str, text: str) -> None:
        self.shown.append(text)


@pytest.fixture(scope="session")
def application():
    """Return ``slicer`` as the stand-in completes it, with the module loaded."""
    from module_window import register

    slicer = slicer_module
    register(MODULE)
    import BrainSegAccel

    BrainSegAccel.BrainSegAccel(slicer.modules.brainsegaccel)
    slicer.app.completeStartup()
    return slicer


@pytest.fixture(scope="session")
def session(tiny_package, tmp_path_factory) -> Session:
    """Return what a worker does, with a tiny model on one backend."""
    cache = EngineCache(tmp_path_factory.mktemp("cache"))

    def make(model: str, engine: EngineChoice) -> Pipeline:
        here = engine.model_copy(update={"backend": "onnxruntime"})
        return Pipeline(tiny_package, here, cache)

    return Session(make)


@pytest.fixture
def slicer(application) -> Iterator:
    application.mrmlScene.Clear(False)
    yield application
    application.mrmlScene.Clear(False)


@pytest.fixture
def worker(session) -> WorkerHere:
    return WorkerHere(session)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def open_panel(slicer, answers) -> Iterator[Callable]:
    """Return ``open(make_worker)``, which opens the module's panel."""
    from module_window import ModuleWindow

    from BrainSegAccel import BrainSegAccelWidget

    opened = []

    def open(make_worker):
        window = ModuleWindow(lambda parent: BrainSegAccelWidget(parent, answers, make_worker))
        opened.append(window)
        return window.widget

    yield open
    for window in opened:
        window.close()
    slicer.app.processEvents()


@pytest.fixture
def widget(open_panel, worker, wait):
    """Return the module's widget, opened, the backends listed."""
    widget = open_panel(lambda: worker)
    wait(lambda: not worker.tasks)
    return widget


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def slider(ui) -> Callable:
    """Return ``slider(name)``, which finds a region's slider, or ``smallestLesion``'s."""
    import qt

    def find(name: str):
        wanted = name if name == "smallestLesion" else f"threshold{name}"
        return ui.slidersContents.findChild(qt.QWidget, f"{wanted}Slider")

    return find


@pytest.fixture
def wait(slicer) -> Callable:
    """Return ``wait(until)``, which lets the event loop run until something is true."""

    def wait(until: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "nothing happened"
            slicer.app.processEvents()
            time.sleep(0.001)
        slicer.app.processEvents()

    return wait


@pytest.fixture
def add_volume(slicer, four_modalities) -> Callable:
    """Return ``add(name, array)``, which adds a volume, by default a head of 30 x 40 x 28."""

    def add(name: str, array: np.ndarray | None = None):
        array = four_modalities[Modality.T1].array if array is None else array
        node = slicer.util.addVolumeFromArray(array, name=name)
        node.SetOrigin(10.0, -20.0, 30.0)
        return node

    return add


@pytest.fixture
def four(add_volume, four_modalities) -> dict[Modality, object]:
    """Volumes of all four modalities, named so that the module knows them."""
    return {m: add_volume(f"case {m.label}", four_modalities[m].array) for m in Modality}


@pytest.fixture
def apply(widget, wait, slicer) -> Callable:
    """Return ``apply()``, which presses Apply and waits for the end; returns the output node."""

    def apply():
        slicer.app.processEvents()
        assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
        widget.ui.applyButton.click()
        wait(lambda: not widget.panel.running)
        return widget.ui.segmentationSelector.currentNode()

    return apply
