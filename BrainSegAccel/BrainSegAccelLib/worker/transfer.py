"""Messages on their way between two processes, their arrays in memory that both share.

A message is written twice: first to see which arrays and volumes it holds, then, when these lie in
shared memory, with a handle in the place of each. What its type holds is all there is to know.

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
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ..errors import RunError
from ..geometry.volume import Volume
from .messages import Message

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


class _Handle(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class ArrayHandle(_Handle):
    """Where an array lies in shared memory."""

    name: str = Field(pattern="^[0-9a-f]{32}$")
    dtype: Literal["float32", "uint8"]
    shape: tuple[Annotated[int, Field(ge=0, le=4096)], ...] = Field(max_length=4)


class VolumeHandle(_Handle):
    """A volume; one that the other side still has keeps the name of its array."""

    array: ArrayHandle
    affine: tuple[float, ...] = Field(min_length=16, max_length=16)
    name: str = Field(max_length=4096)


Known = MutableMapping[Volume, VolumeHandle]
"""How the other side knows volumes that it has."""
T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work in steps of about a millisecond, and what comes of it."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A message that can be sent.

    :param line: JSON, without its end.
    :param volumes: those that it holds.
    """

    line: bytes
    volumes: tuple[Volume, ...]


class _Finding:
    """A `Packer` that only sees what there is."""

    def __init__(self) -> None:
        self.found: dict[int, NDArray[np.generic] | Volume] = {}

    def put(self, value: NDArray[np.generic] | Volume) -> None:
        self.found[id(value)] = value


class _Telling:
    """A `Packer` of what lies in shared memory already."""

    def __init__(self, handles: Mapping[int, _Handle]) -> None:
        self._handles = handles

    def put(self, value: NDArray[np.generic] | Volume) -> dict[str, Any]:
        return self._handles[id(value)].model_dump(mode="json")


def pack(
    message: Message, folder: Path, held: list[Block], known: Known | None = None
) -> Steps[Packed]:
    """Put the arrays of a message into shared memory and return what is to be sent.

    :param held: receives the blocks; keep them until the other side has taken them.
    :param known: volumes that need not be sent again; receives those that are.
    """
    known = {} if known is None else known
    finding = _Finding()
    message.model_dump_json(context=finding)
    handles: dict[int, _Handle] = {}
    for key, value in finding.found.items():
        if isinstance(value, Volume):
            if value not in known:
                array = yield from _put(folder, value.array, held)
                affine = tuple(value.affine.ravel().tolist())
                known[value] = VolumeHandle(array=array, affine=affine, name=value.name)
            handles[key] = known[value]
        else:
            handles[key] = yield from _put(folder, value, held)
    line = message.model_dump_json(context=_Telling(handles)).encode()
    return Packed(line, tuple(v for v in finding.found.values() if isinstance(v, Volume)))


def _put(folder: Path, array: NDArray[np.generic], held: list[Block]) -> Steps[ArrayHandle]:
    block = yield from put(folder, array)
    held.append(block)
    handle = {"name": block.name, "dtype": block.dtype, "shape": block.shape}
    return ArrayHandle.model_validate(handle)


class Unpacking:
    """The `geometry.carried.Unpacker` of one message; arrays lie over shared memory.

    :param there: volumes that are still here, by the names of their arrays.
    """

    def __init__(self, folder: Path, there: Mapping[str, Volume] | None = None) -> None:
        self._folder = folder
        self._there = there or {}
        self.volumes: dict[str, Volume] = {}
        """Those of the message, which may stay here for the next one."""

    def take(self, told: Any) -> NDArray[np.generic] | Volume:
        """Return what a handle stands for.

        :raises RunError: it is not there.
        """
        if not isinstance(told, dict) or "array" not in told:
            return self._array(ArrayHandle.model_validate(told))
        handle = VolumeHandle.model_validate(told)
        name = handle.array.name
        if name not in self.volumes:
            self.volumes[name] = self._there.get(name) or self._volume(handle)
        return self.volumes[name]

    def _volume(self, handle: VolumeHandle) -> Volume:
        array = self._array(handle.array)
        array.setflags(write=False)  # It may serve several requests.
        return Volume(array, np.array(handle.affine).reshape(4, 4), handle.name)

    def _array(self, handle: ArrayHandle) -> NDArray[Any]:
        return take(self._folder, handle.name, handle.shape, handle.dtype)


def run_through(steps: Steps[T]) -> T:
    """Do all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value
