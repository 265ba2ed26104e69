"""What a person at the panel waits for: a run, the frozen window, Cancel, a slider.

The module's own panel, driven by its buttons, with the real background process and the real model,
on the stand-in for Slicer (Testing/slicer_standin) around the real scene. Prints Markdown, and ends
with exit code 1 if a promise is not kept. Needs an idle machine: a window that does not get the
processor looks frozen whoever is to blame.

    python Testing/benchmarks/panel.py CASE_DIR [--runs 7] [--cancels 10] [--backend openvino]

CASE_DIR holds one case of all four modalities. The engine cache is one of its own, empty at first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "slicer_standin"))
from start import start  # noqa: E402

slicer = start()
import qt  # noqa: E402
from BrainSegAccelLib.backends.choice import EngineChoice  # noqa: E402
from BrainSegAccelLib.io.discover import discover  # noqa: E402
from BrainSegAccelLib.io.read import read_study  # noqa: E402
from BrainSegAccelLib.manifest.schema import validate  # noqa: E402
from BrainSegAccelLib.runs.pipeline import Pipeline  # noqa: E402
from BrainSegAccelLib.worker.client import WorkerClient  # noqa: E402
from BrainSegAccelLib.worker.transfer import make_folder  # noqa: E402
from module_window import ModuleWindow, live_until, register  # noqa: E402
from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: E402

from BrainSegAccel import BrainSegAccelWidget  # noqa: E402

LONGEST_BLOCK_MS = 50.0
LONGEST_RATIO = 1.3
LONGEST_CANCEL_MS = 1000.0
LONGEST_RELABEL_MS = 100.0
ALWAYS_THERE = {"contact.json", "log", "socket"}
"""Files of a worker that is alive; whatever lies beside them is a block of shared memory."""


class Heartbeat:
    """The longest time that the event loop did not come round, while it is used with ``with``.

    ``own_ms`` is the most processor time that it used in between: what the panel is to blame for.
    """

    def __enter__(self) -> Heartbeat:
        self.longest_ms = self.own_ms = 0.0
        self._last, self._last_own = time.perf_counter(), time.thread_time()
        self._timer = qt.QTimer()
        self._timer.interval = 1
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, own = time.perf_counter(), time.thread_time()
        self.longest_ms = max(self.longest_ms, 1000.0 * (now - self._last))
        self.own_ms = max(self.own_ms, 1000.0 * (own - self._last_own))
        self._last, self._last_own = now, own


class Panel:
    """The panel on one case, and what a person does at it."""

    def __init__(self, case: Path, backend: str) -> None:
        register(ROOT / "BrainSegAccel" / "BrainSegAccel.py")
        self.client = WorkerClient(sys.executable)
        self.window = ModuleWindow(
            lambda parent: BrainSegAccelWidget(parent, makeWorker=lambda: self.client)
        )
        self.ui, self.panel = self.window.widget.ui, self.window.widget.panel
        for modality, source in discover(case).items():
            properties = {"name": f"case {modality.label}"}
            slicer.util.loadVolume(str(source), properties=properties)
        self.window.widget._parameterNode.backend = backend
        live_until(lambda: self.ui.applyButton.enabled and not self.client.tasks)

    def apply(self) -> float:
        """Press Apply; returns seconds to the end."""
        started = time.perf_counter()
        self.ui.applyButton.click()
        live_until(lambda: not self.panel.running)
        seconds = time.perf_counter() - started
        if self.node is None:
            raise SystemExit(self.ui.messageLabel.text)
        return seconds

    def watched_apply(self) -> Heartbeat:
        """Press Apply; returns how the event loop fared. To look on takes time from the run."""
        with Heartbeat() as heartbeat:
            self.apply()
        return heartbeat

    def cancel_after(self, seconds: float) -> float:
        """Press Apply and after a while Cancel; returns milliseconds from there to the end."""
        until = time.perf_counter() + seconds
        self.ui.applyButton.click()
        live_until(lambda: time.perf_counter() > until)
        started = time.perf_counter()
        self.ui.cancelButton.click()
        live_until(lambda: not self.panel.running)
        return 1000.0 * (time.perf_counter() - started)

    def move(self, threshold: float) -> tuple[float, float]:
        """Move the slider of the whole tumour, and wait until the labels have followed.

        :returns: milliseconds that passed, and milliseconds of processor time.
        """
        followed: list[bool] = []
        tag = self.node.AddObserver(
            slicer.vtkSegmentation.SegmentAdded, lambda *_: followed.append(True)
        )
        started, own = time.perf_counter(), time.thread_time()
        slider = self.ui.slidersContents.findChild(qt.QWidget, "thresholdWTSlider")
        slider.value = threshold
        live_until(lambda: bool(followed))
        spent = 1000.0 * (time.perf_counter() - started), 1000.0 * (time.thread_time() - own)
        self.node.RemoveObserver(tag)
        return spent

    @property
    def node(self):
        """The segmentation node with the result, or None."""
        return self.ui.segmentationSelector.currentNode()

    def labels(self) -> np.ndarray:
        """Return the label map in the node, uint8 (k, j, i)."""
        segment = self.node.GetSegmentation().GetNthSegment(0)
        image = segment.GetRepresentation("Binary labelmap")
        flat = vtk_to_numpy(image.GetPointData().GetScalars())
        return flat.reshape(image.GetDimensions()[::-1])

    def belongings(self, cache: Path) -> dict[str, object]:
        """Return what a run could leave behind: nodes, files, blocks, processes."""
        scene = slicer.mrmlScene
        shared = [f for folder in _shared_folders() for f in folder.iterdir()]
        return {
            "nodes": sorted(scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())),
            "files": sorted(str(path) for path in cache.rglob("*")),
            "blocks": sorted(f.name for f in shared if f.name not in ALWAYS_THERE),
            "one process at most": len(psutil.Process().children(recursive=True)) <= 1,
        }


def _shared_folders() -> list[Path]:
    """Return the folders that this process shares with a worker."""
    probe = make_folder()
    probe.rmdir()
    return list(probe.parent.glob(f"brainsegaccel-{os.getpid()}-*"))


class Report:
    """Prints a row for each promise, and remembers whether all were kept."""

    def __init__(self) -> None:
        self.kept = True
        print("| promise | allowed | measured | kept |\n|---|---|---|---|")

    def row(self, promise: str, allowed: str, measured: str, kept: bool) -> None:
        """Print a row."""
        self.kept &= kept
        print(f"| {promise} | {allowed} | {measured} | {'yes' if kept else 'NO'} |", flush=True)

    def at_most(self, promise: str, limit: float, value: float, unit: str) -> None:
        """Print a row for a value that has a limit."""
        self.row(promise, f"{limit:g} {unit}", f"{value:.3g} {unit}", value <= limit)


def _check_result(panel: Panel, report: Report, expected: np.ndarray) -> None:
    node = panel.node
    manifest = json.loads(node.GetNodeReference("BrainSegAccel.Manifest").GetText())
    validate(manifest)
    table = node.GetNodeReference("BrainSegAccel.Volumes")
    told, volumes = float(table.GetCellText(0, 1)), manifest["outputs"][0]["volumes_ml"]
    complete = node.GetSegmentation().GetNumberOfSegments() == 3
    complete &= bool(np.array_equal(panel.labels(), expected)) and abs(told - volumes["WT"]) < 1e-3
    report.row(
        "segmentation as in this process, table, valid manifest",
        "all",
        f"whole tumour {told:.1f} ml",
        complete,
    )


def _measure_runs(panel: Panel, report: Report, case: Path, chosen: argparse.Namespace) -> float:
    """Measure runs here and through the panel in turn; returns seconds of a warm run."""
    pid, study, pipeline = (
        panel.client.pid,
        read_study(discover(case)),
        Pipeline(engine=EngineChoice(backend=chosen.backend)),
    )
    expected = pipeline.run(study).segmentation.labels
    _check_result(panel, report, expected)
    alone, through, beats = [], [], []
    for _ in range(chosen.runs):
        pipeline.run(study)  # Not timed: it comes after the panel's run, as the panel's after this.
        started = time.perf_counter()
        pipeline.run(study)
        alone.append(time.perf_counter() - started)
        # Between the two that are compared: what one leaves behind slows the next down.
        beats.append(panel.watched_apply())
        through.append(panel.apply())
    manifest = json.loads(panel.node.GetNodeReference("BrainSegAccel.Manifest").GetText())
    stages = manifest["latency"]["stages_ms"]
    print("<!-- " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in stages.items()) + " -->")
    built = [s for s in stages if s == "engine" or "start" in s]
    report.row(
        "a later run starts no process, builds no engine",
        "none",
        ", ".join(built) or "none",
        panel.client.pid == pid and not built,
    )
    here, there = statistics.median(alone), statistics.median(through)
    print(
        f"<!-- median of {chosen.runs}: {here:.2f} s in process, {there:.2f} s from the panel -->"
    )
    report.at_most("a later run against the same in process", LONGEST_RATIO, there / here, "times")
    _report_blocks(report, "later runs", beats)
    return there


def _report_blocks(report: Report, when: str, beats: list[Heartbeat]) -> None:
    wall, own = max(b.longest_ms for b in beats), max(b.own_ms for b in beats)
    report.at_most(f"longest block of the event loop, {when}", LONGEST_BLOCK_MS, wall, "ms")
    report.at_most("processor time of the panel in it, at most", LONGEST_BLOCK_MS, own, "ms")


def _measure_cancels(
    panel: Panel, report: Report, cache: Path, chosen: argparse.Namespace, within: float
) -> None:
    before, rng = panel.belongings(cache), random.Random(0)
    times, left = [], []
    for _ in range(chosen.cancels):
        times.append(panel.cancel_after(rng.uniform(0.0, within)))
        after = panel.belongings(cache)
        left += [f"{name}: {after[name]}" for name in before if after[name] != before[name]]
    promise = f"longest of {chosen.cancels} cancels at random moments"
    report.at_most(promise, LONGEST_CANCEL_MS, max(times), "ms")
    report.row("left behind by them", "nothing", ", ".join(left) or "nothing", not left)


def _measure_sliders(panel: Panel, report: Report) -> None:
    panel.apply()
    thresholds = [percent / 100 for percent in range(6, 95, 2) if percent != 50]
    random.Random(1).shuffle(thresholds)
    times = np.array([panel.move(threshold) for threshold in thresholds])
    shape = " x ".join(str(n) for n in reversed(panel.labels().shape))
    p50, p95 = np.percentile(times[:, 0], (50, 95))
    print(f"<!-- slider at {shape}: p50 {p50:.0f} ms, p95 {p95:.0f} ms -->")
    slowest, own = times.max(axis=0)
    report.at_most(f"slider to labels at {shape}, slowest", LONGEST_RELABEL_MS, slowest, "ms")
    report.at_most("processor time of the panel in it, at most", LONGEST_RELABEL_MS, own, "ms")


def main() -> None:
    """Measure everything on one case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--cancels", type=int, default=10)
    parser.add_argument("--backend", default="openvino")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        os.environ["BRAINSEGACCEL_CACHE"] = folder
        panel = Panel(chosen.case, chosen.backend)
        report = Report()
        heartbeat = panel.watched_apply()
        _report_blocks(report, "first run", [heartbeat])
        within = _measure_runs(panel, report, chosen.case, chosen)
        _measure_cancels(panel, report, cache, chosen, within)
        _measure_sliders(panel, report)
        panel.window.close()
        gone = not psutil.Process().children(recursive=True) and not _shared_folders()
        report.row("left behind by closing", "nothing", "nothing" if gone else "something", gone)
    sys.exit(0 if report.kept else 1)


if __name__ == "__main__":
    main()
