"""What a worker leaves behind, seen from inside."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asked import segment
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.manifest.model import Manifest
from BrainSegAccelLib.postprocessing.kept import KeptProbabilities
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.worker.messages import FROM_WORKER, REQUEST, Asked, Cancel, Cancelled, Segment
from BrainSegAccelLib.worker.server import Server
from BrainSegAccelLib.worker.session import Session
from BrainSegAccelLib.worker.time_left import History
from BrainSegAccelLib.worker.transfer import Known, Packed, Unpacking, pack, run_through
from label_schemes import TUMOUR

TASK = 1


class CancelledAtTheEnd(Session):
    """A session whose task is cancelled when its result is there."""

    server: Server

    def segment(self, request: Segment, clock: StageClock) -> tuple[RunResult, Manifest]:
        found = super().segment(request, clock)
        self.server._take_in(Cancel(task=TASK))
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
    options: RunOptions,
    tmp_path: Path,
) -> None:
    session = CancelledAtTheEnd()
    server = session.server = Server(wire[0], tmp_path, session, History(tmp_path / "history"))
    packed = run_through(pack(segment(volumes, options), tmp_path, []))
    server._answer(Asked(task=TASK, request=packed.line.decode()))
    lines = wire[1].recv(1 << 20).splitlines()
    assert isinstance(FROM_WORKER.validate_json(lines[-1]), Cancelled)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_volumes_that_the_worker_has_are_not_sent_again(
    volumes: dict[Modality, Volume], options: RunOptions, tmp_path: Path
) -> None:
    def over(request: Segment, known: Known, there: dict[str, Volume]):
        packed = run_through(pack(request, tmp_path, blocks := [], known))
        return len(blocks), *unpacked(packed, tmp_path, there)

    known: Known = {}
    sent, first, there = over(segment(volumes, options), known, {})
    assert sent == len(there) == 4
    mask = Volume(np.ones_like(volumes[Modality.T1].array), volumes[Modality.T1].affine, "mask")
    changed = Volume(volumes[Modality.T2].array + 1, volumes[Modality.T2].affine, "T2")
    request = segment({**volumes, Modality.T2: changed}, options, brain_mask=mask)
    sent, second, stays = over(request, known, there)
    assert sent == 2
    assert second.volumes[Modality.T1] is first.volumes[Modality.T1]
    assert not second.volumes[Modality.T1].array.flags.writeable
    np.testing.assert_array_equal(second.volumes[Modality.T2].array, changed.array)
    # What a request does not show goes, so that no more than one study is kept.
    assert set(stays.values()) == {*second.volumes.values(), second.options.brain_mask}


def test_one_volume_for_two_sequences_is_sent_once(
    volumes: dict[Modality, Volume], options: RunOptions, tmp_path: Path
) -> None:
    same = dict.fromkeys([Modality.T1, Modality.T2], volumes[Modality.T1])
    packed = run_through(pack(segment(same, options), tmp_path, blocks := []))
    request, _ = unpacked(packed, tmp_path, {})
    assert len(blocks) == 1
    np.testing.assert_array_equal(request.volumes[Modality.T2].array, volumes[Modality.T1].array)


def test_options_arrive_as_they_were_sent(
    volumes: dict[Modality, Volume], options: RunOptions, tmp_path: Path
) -> None:
    """Whatever field holds an array; a record of the options, which goes nowhere, holds none."""
    grid = volumes[Modality.T1].grid
    mask = Volume(np.ones(grid.shape, np.float32), grid.affine, "Jane Doe")
    values = np.full((3, 2, 3, 4), 0.75, dtype=np.float32)
    box = (slice(1, 3), slice(2, 5), slice(3, 7))
    changed = {
        "brain_mask": mask,
        "roi": Roi.from_corners(np.zeros(3), np.ones(3)),
        "base": KeptProbabilities(values, box, grid, TUMOUR),
        "grid": Grid((3, 4, 5), np.diag([1.0, 2.0, 3.0, 1.0])),
        "refinement": Refinement(thresholds={"ET": 0.3}, peak_odds=2.0),
        "iterations": 25,
        "verify": True,
    }
    assert set(changed) | {"model", "engine", "preprocessing"} == set(RunOptions.model_fields)
    asked = segment(volumes, options, **changed)
    packed = run_through(pack(asked, tmp_path, blocks := []))
    assert len(blocks) == 4 + 1 + 1
    found, _ = unpacked(packed, tmp_path, {})
    assert found.options.model_dump(mode="json") == asked.options.model_dump(mode="json")
    assert found.options.model == asked.options.model
    assert found.options.brain_mask.name == "Jane Doe"
    np.testing.assert_array_equal(found.options.base.values, values)
    assert found.options.base.box == box
    assert found.options.base.outputs == TUMOUR
    assert found.options.grid.same_as(asked.options.grid)
    told = asked.options.model_dump_json()
    assert "Jane" not in told
    assert str(Path(options.model).parent) not in told


def unpacked(
    packed: Packed, folder: Path, there: dict[str, Volume]
) -> tuple[Segment, dict[str, Volume]]:
    unpacking = Unpacking(folder, there)
    request = REQUEST.validate_json(packed.line, context=unpacking)
    assert isinstance(request, Segment)
    return request, unpacking.volumes
