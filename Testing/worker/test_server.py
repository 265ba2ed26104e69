"""What a worker leaves behind, seen from inside."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.manifest.model import Manifest
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.history import History
from BrainSegAccelLib.worker.requests import Options, Segment
from BrainSegAccelLib.worker.server import Server
from BrainSegAccelLib.worker.session import Session
from BrainSegAccelLib.worker.transfer import Known, pack, run_through, unpack

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
    request = run_through(pack(TASK, Segment(volumes, options), tmp_path, [], {}))
    server._answer(request)
    lines = wire[1].recv(1 << 20).splitlines()
    assert isinstance(messages.decode_report(lines[-1]), messages.CancelledMessage)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_volumes_that_the_worker_has_are_not_sent_again(
    volumes: dict[Modality, Volume], options: Options, tmp_path: Path
) -> None:
    def over(request: Segment, known: Known, there: dict[str, Volume]):
        message = run_through(pack(TASK, request, tmp_path, blocks := [], known))
        assert isinstance(message, messages.SegmentMessage)
        return len(blocks), *unpack(message, tmp_path, there)

    known: Known = {}
    sent, first, there = over(Segment(volumes, options), known, {})
    assert sent == len(there) == 4
    mask = Volume(np.ones_like(volumes[Modality.T1].array), volumes[Modality.T1].affine, "mask")
    changed = Volume(volumes[Modality.T2].array + 1, volumes[Modality.T2].affine, "T2")
    request = Segment({**volumes, Modality.T2: changed}, options, brain_mask=mask)
    sent, second, stays = over(request, known, there)
    assert sent == 2
    assert second.volumes[Modality.T1] is first.volumes[Modality.T1]
    assert not second.volumes[Modality.T1].array.flags.writeable
    np.testing.assert_array_equal(second.volumes[Modality.T2].array, changed.array)
    # What a request does not show goes, so that no more than one study is kept.
    assert set(stays.values()) == {*second.volumes.values(), second.brain_mask}


def test_one_volume_for_two_sequences_is_sent_once(
    volumes: dict[Modality, Volume], options: Options, tmp_path: Path
) -> None:
    same = dict.fromkeys([Modality.T1, Modality.T2], volumes[Modality.T1])
    message = run_through(pack(TASK, Segment(same, options), tmp_path, blocks := [], {}))
    assert isinstance(message, messages.SegmentMessage)
    request, _ = unpack(message, tmp_path, {})
    assert len(blocks) == 1
    np.testing.assert_array_equal(request.volumes[Modality.T2].array, volumes[Modality.T1].array)
