"""However a worker or its task ends: soon, said, and nothing left behind."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from asked import segment, warm_up
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.manifest.model import PROCESS_START
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.client import WorkerClient
from BrainSegAccelLib.worker.messages import ListBackends
from BrainSegAccelLib.worker.transfer import make_folder

Volumes = dict[Modality, Volume]
ENDLESS = 100_000
"""Iterations of a benchmark that no test waits for."""


def _wait_for(condition, what: str) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 120, what
        time.sleep(0.02)


def _shared_with(pid: int) -> list[Path]:
    """Folders that a process shares with workers."""
    root = make_folder()
    root.rmdir()
    return list(root.parent.glob(f"brainsegaccel-{pid}-*"))


def _blocks(pid: int) -> list[str]:
    found = [path.name for folder in _shared_with(pid) for path in folder.iterdir()]
    return [name for name in found if name not in ("contact.json", "log", "socket")]


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_cancelled_at_ten_random_moments(
    desk, volumes: Volumes, options: RunOptions, cache_folder: Path, children
) -> None:
    me = psutil.Process()
    desk.ask(segment(volumes, options))
    before = _files(cache_folder)
    rng = random.Random(0)
    for _ in range(10):
        task = desk.client.submit(segment(volumes, options, iterations=ENDLESS))
        until = time.monotonic() + rng.uniform(0.0, 1.5)
        while time.monotonic() < until:
            desk.poll()
        late = desk.late
        cancelled = time.monotonic()
        desk.client.cancel(task)
        assert isinstance(desk.answer(task), messages.Cancelled)
        # What a busy machine took away from this very loop is not the worker's.
        assert time.monotonic() - cancelled < 1.0 + 3 * (desk.late - late)
        assert _blocks(me.pid) == []
        assert len(children()) <= 1
    assert _files(cache_folder) == before
    assert isinstance(desk.ask(segment(volumes, options)), messages.Segmented)
    desk.client.close()
    assert children() == []
    assert _shared_with(me.pid) == []


def test_a_task_that_does_not_let_go_is_ended_with_its_process(
    desk, volumes: Volumes, options: RunOptions
) -> None:
    task = desk.client.submit(segment(volumes, options, iterations=ENDLESS))
    desk.stage(f"benchmark: model only, {ENDLESS} iterations")
    pid = desk.pid
    psutil.Process(pid).send_signal(signal.SIGSTOP)
    late, cancelled = desk.late, time.monotonic()
    desk.client.cancel(task)
    ended = desk.answer(task)
    assert time.monotonic() - cancelled < 1.0 + 3 * (desk.late - late)
    assert ended == messages.Cancelled(task=task, warm=False)
    assert not psutil.pid_exists(pid)
    again = desk.ask(segment(volumes, options))
    assert isinstance(again, messages.Segmented)
    assert desk.client.pid != pid
    assert {PROCESS_START, "engine"} <= set(again.manifest.latency.stages_ms)


def test_a_killed_worker_is_reported_and_replaced(
    desk, volumes: Volumes, options: RunOptions
) -> None:
    task = desk.client.submit(segment(volumes, options, iterations=ENDLESS))
    waiting = desk.client.submit(warm_up(options))
    desk.stage(f"benchmark: model only, {ENDLESS} iterations")
    pid = desk.pid
    psutil.Process(pid).kill()
    failed = desk.answer(task)
    assert isinstance(failed, messages.Failed)
    assert "memory ran out, most likely" in failed.message
    assert not failed.unusable_input
    assert isinstance(desk.answer(waiting), messages.Warmed)
    assert desk.client.pid != pid


def test_a_worker_killed_while_idle_is_replaced(desk, options: RunOptions) -> None:
    desk.ask(ListBackends())
    psutil.Process(desk.pid).kill()
    lost = desk.until(lambda event: isinstance(event, messages.Lost))
    assert "exit code -9" in lost.message
    assert isinstance(desk.ask(ListBackends()), messages.Listed)


def test_the_last_lines_of_a_crash_are_reported(desk, options: RunOptions) -> None:
    """Python names the threads of a process that is told to abort."""
    desk.ask(ListBackends())
    task = desk.client.submit(warm_up(options))
    psutil.Process(desk.pid).send_signal(signal.SIGABRT)
    happened = desk.until(
        lambda e: isinstance(e, messages.Lost | messages.Failed | messages.Warmed)
    )
    if isinstance(happened, messages.Warmed):  # It was done before it was told.
        assert happened.task == task
        happened = desk.until(lambda e: isinstance(e, messages.Lost))
    assert "crashed" in happened.message
    assert any("Fatal Python error: Aborted" in line for line in happened.log)


def test_a_worker_that_hangs_is_ended(cache_folder: Path, options: RunOptions, desk) -> None:
    desk.client = WorkerClient(patience=3.0)
    desk.ask(ListBackends())
    pid = desk.pid
    psutil.Process(pid).send_signal(signal.SIGSTOP)
    task = desk.client.submit(warm_up(options))
    failed = desk.answer(task)
    assert isinstance(failed, messages.Failed)
    assert "did not answer for" in failed.message
    assert not psutil.pid_exists(pid)
    assert isinstance(desk.ask(ListBackends()), messages.Listed)


def test_behind_a_launcher_the_worker_itself_is_ended(
    desk, volumes: Volumes, options: RunOptions, tmp_path: Path, children
) -> None:
    """Slicer's Python is a program that starts another one, and waits for it."""
    launcher = tmp_path / "launcher"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    launcher.chmod(0o700)
    desk.client = WorkerClient(launcher)
    task = desk.client.submit(segment(volumes, options, iterations=ENDLESS))
    desk.stage(f"benchmark: model only, {ENDLESS} iterations")
    worker = psutil.Process(desk.pid)
    (launched,) = [child for child in children() if child != worker]
    assert launched in worker.parents()
    worker.send_signal(signal.SIGSTOP)
    desk.client.cancel(task)
    assert desk.answer(task) == messages.Cancelled(task=task, warm=False)
    _wait_for(lambda: not worker.is_running(), "the worker lives on")


PARENT = """
import sys, time
import numpy as np
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.worker.client import WorkerClient
from BrainSegAccelLib.worker.messages import Segment
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.runs.options import RunOptions

rng = np.random.default_rng(0)
volume = Volume(rng.random((30, 40, 28), dtype=np.float32), np.eye(4))
client = WorkerClient()
engine = EngineChoice(backend="onnxruntime")
options = RunOptions(model=sys.argv[1], engine=engine, iterations=100_000)
client.submit(Segment(volumes={Modality.T1: volume}, options=options))
told = False
while True:
    for event in client.poll():
        if not told and event.stage.startswith("benchmark"):
            told = True
            print(client.pid, flush=True)
    time.sleep(0.01)
"""


def test_the_worker_ends_with_its_parent_however_that_ends(
    cache_folder: Path, options: RunOptions
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, options.model], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        assert len(_shared_with(parent.pid)) == 1
    finally:
        parent.kill()
        parent.wait()
    _wait_for(
        lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE,
        "the worker lives on",
    )
    assert _shared_with(parent.pid) == []


def test_strangers_are_not_let_in(desk) -> None:
    """Who cannot show the token is hung up on; the worker still gets in."""
    task = desk.client.submit(ListBackends())
    desk.poll()
    (folder,) = _shared_with(psutil.Process().pid)
    for said in (
        b"rubbish\n",
        b'{"kind": "alive"}\n',
        b'{"kind": "hello", "token": "guessed", "version": "0", "pid": 1}\n',
        b"",
    ):
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(str(folder / "socket"))
        stranger.sendall(said)
    assert isinstance(desk.answer(task), messages.Listed)
    assert desk.client.pid != 1


@pytest.mark.parametrize("moment", ["at once", "while it starts", "while it works"])
def test_closing_leaves_nothing(
    desk, volumes: Volumes, options: RunOptions, moment: str, children
) -> None:
    me = psutil.Process()
    desk.client.submit(segment(volumes, options, iterations=ENDLESS))
    if moment == "while it starts":
        desk.poll()
    elif moment == "while it works":
        desk.stage("network")
    desk.client.close()
    assert desk.client.poll() == []
    assert children() == []
    assert _shared_with(me.pid) == []
