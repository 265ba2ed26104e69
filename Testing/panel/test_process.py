"""The panel with the real background process, on a tiny model."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.panel.parameters import MODEL_FILE
from BrainSegAccelLib.preprocessing.options import PreprocessingOptions
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.worker.client import WorkerClient

LONGEST_STEP_SECONDS = 0.05
"""Of processor time: how long this machine lets others run is not the panel's doing."""


class Heartbeat:
    """Measures how long the event loop worked on anything between two beats of a timer."""

    def __init__(self) -> None:
        import qt

        self.longest = 0.0
        self._last = time.thread_time()
        self._timer = qt.QTimer()
        self._timer.interval = 1
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now


@pytest.fixture
def client() -> WorkerClient:
    return WorkerClient(sys.executable)


@pytest.fixture
def open_with(open_panel, wait, tiny_card, monkeypatch) -> Callable:
    """Return ``open(client, cache, backend)``, which opens the panel on the tiny model."""

    def open(client: WorkerClient, cache: Path, backend: str):
        monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(cache))
        widget = open_panel(lambda: client)
        parameters = widget._parameterNode
        parameters.backend = backend
        parameters.model, parameters.modelFile = MODEL_FILE, str(tiny_card)
        parameters.registration = parameters.brainExtraction = "off"
        wait(lambda: not client.tasks, seconds=300)
        return widget

    return open


@pytest.fixture
def widget(open_with, client, tmp_path):
    return open_with(client, tmp_path / "cache", "onnxruntime")


@pytest.fixture
def run(widget, wait, slicer):
    """Return ``run()``, which presses Apply and waits for the end; returns the output node."""

    def run():
        slicer.app.processEvents()
        assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
        widget.ui.applyButton.click()
        wait(lambda: not widget.panel.running, seconds=300)
        return widget.ui.segmentationSelector.currentNode()

    return run


def manifest_of(node) -> str:
    return node.GetNodeReference("BrainSegAccel.Manifest").GetText()


def stages(node) -> list[str]:
    return list(json.loads(manifest_of(node))["latency"]["stages_ms"])


def test_second_run_starts_nothing_and_the_window_lives(four, widget, run, client):
    first = stages(run())
    assert "engine" in first
    pid = client.pid
    heartbeat = Heartbeat()
    second = stages(run())
    assert heartbeat.longest <= LONGEST_STEP_SECONDS
    assert client.pid == pid
    assert "engine" not in second
    assert not any("start" in stage for stage in second)


def test_cancel_at_any_moment_leaves_nothing(four, widget, run, client, wait, slicer, tmp_path):
    moments = random.Random(0)
    run()
    scene = slicer.mrmlScene
    before = scene.GetNumberOfNodes()
    for _ in range(3):
        widget.ui.applyButton.click()
        until = time.monotonic() + moments.uniform(0.0, 0.3)
        wait(lambda until=until: time.monotonic() > until)
        began = time.monotonic()
        widget.ui.cancelButton.click()
        wait(lambda: not widget.panel.running)
        assert time.monotonic() - began < 5.0  # A second where the processor is free.
        assert scene.GetNumberOfNodes() == before
    assert run() is not None


def test_killed_process_is_told_and_replaced(four, widget, run, client, wait):
    run()
    worker = psutil.Process(client.pid)
    worker.suspend()  # It takes the volumes and does not get on with them.
    widget.ui.applyButton.click()
    until = time.monotonic() + 1.0
    wait(lambda: time.monotonic() > until)
    worker.kill()
    wait(lambda: not widget.panel.running, seconds=300)
    assert "ended from outside" in widget.ui.messageLabel.text
    assert widget.ui.applyButton.enabled
    assert len(run().GetSegmentation().GetSegmentIDs()) == 3


def test_cache_that_cannot_be_written_costs_a_warning(four, open_with, client, wait, tmp_path):
    (tmp_path / "full").write_text("no folder can be made in here")
    widget = open_with(client, tmp_path / "full" / "cache", "openvino")  # Its engines are cached.
    widget.ui.applyButton.click()
    wait(lambda: not widget.panel.running, seconds=300)
    assert widget.ui.segmentationSelector.currentNode() is not None
    assert "cache" in widget.ui.messageLabel.text


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_disk_that_is_full_halfway_costs_a_warning(four, open_with, wait, tmp_path):
    """No file may become as large as an engine, so writing one fails as on a full disk."""
    launcher, cache = tmp_path / "launcher", tmp_path / "cache"
    launcher.write_text(f'#!/bin/sh\nulimit -f 1200\nexec "{sys.executable}" "$@"\n')
    launcher.chmod(0o700)
    widget = open_with(WorkerClient(launcher), cache, "openvino")
    widget.ui.applyButton.click()
    wait(lambda: not widget.panel.running, seconds=300)
    assert widget.ui.segmentationSelector.currentNode() is not None
    assert "cache" in widget.ui.messageLabel.text
    assert "File too large" in widget.ui.messageLabel.text
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["stages.json"]


def test_a_script_gets_what_a_click_gets(four, widget, run, slicer, tiny_card):
    from BrainSegAccel import BrainSegAccelLogic

    clicked = json.loads(manifest_of(run()))
    logic = BrainSegAccelLogic(lambda: WorkerClient(sys.executable))
    options = RunOptions(
        model=str(tiny_card),
        engine=EngineChoice(backend="onnxruntime"),
        preprocessing=PreprocessingOptions(registration="off", brain_extraction="off"),
    )
    heartbeat = Heartbeat()
    logic.process(four, options=options)
    assert heartbeat.longest <= LONGEST_STEP_SECONDS
    scripted = json.loads(logic.manifestJson)
    assert scripted["requested"] == clicked["requested"]
    assert scripted["outputs"] == clicked["outputs"]
    before = slicer.mrmlScene.GetNumberOfNodes()

    def cancel(now) -> None:
        if now.stage == "network":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logic.process(four, options=options, progress=cancel)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_process_ends_with_the_module(four, widget, run, client):
    run()
    worker = psutil.Process(client.pid)
    widget.cleanup()
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
