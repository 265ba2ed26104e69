from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.worker.transfer import Block, discard, make_folder, put, take


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = make_folder()
    yield folder
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


def put_at_once(folder: Path, array: np.ndarray) -> Block:
    steps = put(folder, array)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


CUBE = np.arange(2 * 3 * 40 * 50, dtype=np.float32).reshape(2, 3, 40, 50)


@pytest.mark.parametrize(
    "array",
    [
        CUBE,
        CUBE[0],
        CUBE[0].transpose(2, 0, 1)[::-1],
        CUBE[0].astype(np.uint8),
        np.zeros((3, 0, 0, 0), dtype=np.float32),
        np.arange(300 * 100 * 100, dtype=np.float32).reshape(300, 100, 100),
    ],
    ids=["4-D", "3-D", "not contiguous", "bytes", "empty", "several steps"],
)
def test_an_array_comes_out_as_it_went_in_and_leaves_no_name(
    folder: Path, array: np.ndarray
) -> None:
    block = put_at_once(folder, array)
    assert stat.S_IMODE((folder / block.name).stat().st_mode) == 0o600
    taken = take(folder, block.name, block.shape, block.dtype)
    assert list(folder.iterdir()) == []
    np.testing.assert_array_equal(taken, array)
    assert taken.dtype == array.dtype


def test_views_outlive_the_block(folder: Path) -> None:
    block = put_at_once(folder, CUBE)
    view = take(folder, block.name, block.shape, block.dtype)[1, :, ::2]
    del block
    np.testing.assert_array_equal(view, CUBE[1, :, ::2])


def test_a_block_of_another_size_or_name_is_refused(folder: Path) -> None:
    block = put_at_once(folder, CUBE)
    with pytest.raises(RunError, match="not of 48 bytes"):
        take(folder, block.name, (3, 4), "float32")
    with pytest.raises(RunError, match="not there"):
        take(folder, block.name, block.shape, block.dtype)


def test_given_up_half_way_nothing_stays(folder: Path) -> None:
    steps = put(folder, np.zeros((300, 100, 100), dtype=np.float32))
    next(steps)
    assert len(list(folder.iterdir())) == 1
    steps.close()
    assert list(folder.iterdir()) == []


def test_discarded_blocks_leave_no_name(folder: Path) -> None:
    blocks = [put_at_once(folder, CUBE), put_at_once(folder, CUBE)]
    discard(folder, blocks)
    assert list(folder.iterdir()) == []
    assert blocks == []


def test_no_room_is_said(folder: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(RunError, match=r"no room for 12 MB of shared memory.*close other"):
            put_at_once(folder, np.zeros((300, 100, 100), dtype=np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []


def test_only_this_user_can_enter_the_folder(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert f"-{os.getpid()}-" in folder.name


def test_folders_of_processes_that_are_gone_are_removed(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = folder.parent / f"brainsegaccel-{ended.pid}-abandoned"
    left.mkdir()
    (left / "block").write_bytes(b"x")
    make_folder().rmdir()
    assert not left.exists()
    assert folder.exists()
