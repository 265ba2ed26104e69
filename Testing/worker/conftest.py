"""A real worker process on a tiny model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from asked import on
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.client import WorkerClient
from BrainSegAccelLib.worker.messages import Request

LONG_SECONDS = 300.0
"""What only a worker that hangs exceeds; busy machines are slow."""
BETWEEN_SECONDS = 0.01


@dataclass
class Desk:
    """Polls a client as a timer would.

    :param seen: every event so far.
    :param late: seconds that this machine took away from the polling, more than was slept.
    """

    client: WorkerClient
    seen: list[messages.Event] = field(default_factory=list)
    late: float = 0.0

    @property
    def pid(self) -> int:
        """The worker's process. (psutil takes None for the calling process, and would kill it.)"""
        assert self.client.pid is not None, "no worker runs"
        return self.client.pid

    def poll(self) -> list[messages.Event]:
        """Sleep and poll once."""
        started = time.monotonic()
        time.sleep(BETWEEN_SECONDS)
        happened = self.client.poll()
        self.late += time.monotonic() - started - BETWEEN_SECONDS
        self.seen += happened
        return happened

    def until(self, there: Callable[[messages.Event], bool]) -> messages.Event:
        """Poll until an event comes."""
        started = time.monotonic()
        while time.monotonic() - started < LONG_SECONDS:
            for event in self.poll():
                if there(event):
                    return event
        raise TimeoutError(f"state {self.client.state}, tasks {self.client.tasks}")

    def stage(self, *names: str) -> messages.Progress:
        """Poll until one of these stages runs."""
        found = self.until(lambda e: isinstance(e, messages.Progress) and e.stage in names)
        assert isinstance(found, messages.Progress)
        return found

    def answer(self, task: int) -> messages.Event:
        """Poll until the task is answered."""
        return self.until(
            lambda e: not isinstance(e, messages.Progress | messages.Lost) and e.task == task
        )

    def ask(self, request: Request) -> messages.Event:
        """Submit a request and poll until it is answered."""
        return self.answer(self.client.submit(request))


@pytest.fixture(scope="session")
def options(tiny_card: Path) -> RunOptions:
    """The tiny model on a runtime that keeps no cache."""
    return on("onnxruntime", tiny_card)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker keeps its cache."""
    monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def desk(cache_folder: Path) -> Iterator[Desk]:
    desk = Desk(WorkerClient())
    yield desk
    desk.client.close()


@pytest.fixture
def children() -> Callable[[], list[psutil.Process]]:
    """Return what lists the processes that came from this one during the test.

    Others may be there: libraries keep helpers, such as multiprocessing's resource tracker.
    """
    me = psutil.Process()
    before = set(me.children(recursive=True))
    return lambda: [child for child in me.children(recursive=True) if child not in before]


@pytest.fixture
def volumes(four_modalities: Study) -> dict[Modality, Volume]:
    return dict(four_modalities)
