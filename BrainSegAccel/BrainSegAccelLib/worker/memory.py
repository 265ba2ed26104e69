"""Arrays in memory that two processes share.

Not `multiprocessing.shared_memory`: up to Python 3.12 that starts a resource tracker by running
``sys.executable``, which inside Slicer is a launcher. Here a block has a name only until the
other side has opened it; from then on the system frees it with the last process that has it,
however that process ends.
"""

from __future__ import annotations

import mmap
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from ..errors import RunError

_IN_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 1 << 30
"""Room for the volumes of a study and its result; containers often have 64 MB."""
_STEP_BYTES = 1 << 21
_SHARED = getattr(mmap, "MAP_SHARED", 0) | getattr(mmap, "MAP_POPULATE", 0)
"""Where the system can, pages are brought in at once instead of one by one when they are read."""
_PREFIX = "brainsegaccel-"


def make_folder() -> Path:
    """Return a new folder that only this user can enter, in memory where the system has such.

    Folders of programs that are gone are removed.
    """
    root = Path(tempfile.gettempdir())
    if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free >= _ENOUGH_BYTES:
        root = _IN_MEMORY
    for left in root.glob(f"{_PREFIX}*"):
        owner = left.name.split("-")[1]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))


@dataclass(frozen=True, eq=False)
class Block:
    """A named block of shared memory that holds one array.

    Keep it until the other side has taken it: on Windows a block lives only as long as someone
    has it open.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    memory: mmap.mmap | None


def put(folder: Path, array: NDArray[np.generic]) -> Generator[None, None, Block]:
    """Copy an array into a new block, a millisecond's worth with each step.

    :param folder: of `make_folder`.
    :returns: the block, once all steps are done.
    :raises RunError: there is not enough memory.
    """
    name, dtype = secrets.token_hex(16), array.dtype.name
    slabs = _slabs(array)
    if sys.platform == "win32":
        memory = mmap.mmap(-1, max(1, array.nbytes), tagname=name)
        for slab in slabs:
            memory.write(slab)
            yield
        return Block(name, array.shape, dtype, memory)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Written, not mapped: where memory runs out, writing fails, but touching a page would
        # end the process.
        for slab in slabs:
            while slab:
                slab = slab[os.write(descriptor, slab) :]
            yield
    except BaseException as error:
        (folder / name).unlink()
        if not isinstance(error, OSError):
            raise
        raise RunError(
            f"no room for {array.nbytes / 1e6:.0f} MB of shared memory: {error.strerror}",
            where=str(folder.parent),
            remedy="close other programs",
        ) from error
    finally:
        os.close(descriptor)
    return Block(name, array.shape, dtype, None)


def discard(folder: Path, blocks: list[Block]) -> None:
    """Remove the names of blocks that nobody will take, and forget them."""
    for block in blocks:
        (folder / block.name).unlink(missing_ok=True)
    blocks.clear()


def take(folder: Path, name: str, shape: tuple[int, ...], dtype: str) -> NDArray[np.generic]:
    """Return the array that another process has put into a block, and remove the block's name.

    :raises RunError: there is no such block, or it is of another size.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if sys.platform == "win32":
        memory = mmap.mmap(-1, max(1, size), tagname=name)
    else:
        try:
            descriptor = os.open(folder / name, os.O_RDWR)
            os.unlink(folder / name)
        except OSError as error:
            raise RunError(f"not there: {error.strerror}", where="shared memory") from error
        try:
            if os.fstat(descriptor).st_size != max(1, size):
                raise RunError(f"not of {size} bytes", where="shared memory")
            memory = mmap.mmap(descriptor, 0, flags=_SHARED)
        finally:
            os.close(descriptor)
    # The last view of the array gives the memory back.
    return np.frombuffer(memory, dtype, count=int(np.prod(shape))).reshape(shape)


def _slabs(array: NDArray[np.generic]) -> Iterator[memoryview]:
    """Yield the bytes of an array in order, in pieces of about `_STEP_BYTES`."""
    if array.size == 0:
        yield memoryview(b"\0")  # No system maps nothing.
        return
    planes = array.reshape(-1, *array.shape[-2:])
    count = max(1, _STEP_BYTES // planes[0].nbytes)
    for first in range(0, len(planes), count):
        yield np.ascontiguousarray(planes[first : first + count]).data.cast("B")
