"""What a worker leaves behind, seen from inside."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from BrainSegAccelLib.inference.progress import StageClock
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.manifest.model import Manifest
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.volume import Volume
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.history import History
from BrainSegAccelLib.worker.requests import Options, Segment
from BrainSegAccelLib.worker.server import Server
from BrainSegAccelLib.worker.session import Session
from BrainSegAccelLib.worker.transfer import pack, run_through

TASK = 1


class CancelledAtTheEnd(Session):
    """A session whose task is cancelled when its result is there."""

    server: Server

    def segment(self, request: Segment, clock: StageClock) -> tuple[RunResult, Manifest]:
        found = super().segment(request, clock)
        self.server._take_in(messages.CancelMessage(task=TASK))
        return found


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_a_result_that_nobody_wants_any_more_is_not_left_in_memory(
    wire: tuple[socket.socket, socket.socket],
    volumes: dict[Modality, Volume],
    options: Options,
    tmp_path: Path,
) -> None:
    session = CancelledAtTheEnd()
    server = session.server = Server(wire[0], tmp_path, session, History(tmp_path / "history"))
    request = run_through(pack(TASK, Segment(volumes, options), tmp_path, []))
    server._answer(request)
    lines = wire[1].recv(1 << 20).splitlines()
    assert isinstance(messages.decode_report(lines[-1]), messages.CancelledMessage)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
