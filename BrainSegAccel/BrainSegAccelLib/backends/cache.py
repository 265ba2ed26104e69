"""Compiled engines kept on disk: written atomically, checked when read, rebuilt when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import BrainSegAccelError, InputError
from ..io.atomic import atomic_write

MAGIC = b"BSAENG1\n"
LIMIT_BYTES = 4 << 30
"""The least recently used engines go when all of them take more than this."""
LIMIT_GB = "BRAINSEGACCEL_CACHE_GB"
"""Environment variable: another limit, in GB of 1e9 bytes."""
_DIGEST_BYTES = 32
_HEADER = len(MAGIC) + _DIGEST_BYTES + 8
_LONGEST_KEY = 1 << 16


def default_cache_folder() -> Path:
    """Folder of the cache: ``BRAINSEGACCEL_CACHE`` if set, else the user's cache folder."""
    chosen = os.environ.get("BRAINSEGACCEL_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("brainsegaccel")


def size_limit() -> int:
    """Return how many bytes the engines may take together.

    :raises InputError: ``BRAINSEGACCEL_CACHE_GB`` is not a number.
    """
    chosen = os.environ.get(LIMIT_GB)
    if chosen is None:
        return LIMIT_BYTES
    try:
        return int(float(chosen) * 1e9)
    except ValueError as error:
        raise InputError(
            f"{chosen!r} is not a number of GB", where=LIMIT_GB, remedy="set it to e.g. 4"
        ) from error


@dataclass(frozen=True)
class Entry:
    """An engine in the cache, as `brainsegaccel cache list` shows it.

    :param key: the fields of its `EngineKey`; empty if the file is not an entry.
    :param used: when it was last read or written, in seconds since 1970.
    """

    path: Path
    size: int
    used: float
    key: Mapping[str, object]


@dataclass(frozen=True)
class EngineKey:
    """Everything that, when it changes, makes a compiled engine another one."""

    weights_sha256: str
    network_sha256: str
    shape: tuple[int, int, int]
    precision: str
    backend: str
    backend_version: str
    device_name: str
    driver: str = ""
    export_sha256: str = ""
    calibration_sha256: str = ""
    settings: str = ""

    @property
    def fields(self) -> dict[str, object]:
        """The key as plain JSON values."""
        return {**self.__dict__, "shape": list(self.shape)}

    @property
    def digest(self) -> str:
        """Hash that names the entry: the first 32 hexadecimal digits of a SHA-256."""
        text = json.dumps(self.fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class EngineCache:
    """A folder of compiled engines, one file an entry.

    An entry is ``MAGIC``, the SHA-256 of all that follows, the length of a JSON header (8 bytes,
    big-endian), the header (the full key), and the engine as its backend serialised it.

    Two processes may build the same engine at once: each writes a file of its own beside the
    entry and then takes its place in one step, so that whoever reads finds a whole one.

    :param folder: where the entries lie; made when the first is written.
    :param limit: bytes that all entries may take; default: `size_limit`.
    """

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = (folder or default_cache_folder()) / "engines"
        self._limit = size_limit() if limit is None else limit

    def path(self, key: EngineKey) -> Path:
        """Where the entry of a key lies, whether or not it is there."""
        return self.folder / f"{key.backend}-{key.digest}.engine"

    def read(self, key: EngineKey) -> bytes | None:
        """Return the serialised engine, or None if there is none that can be trusted.

        A damaged or foreign entry is removed with a warning.
        """
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        payload = _checked_payload(content, key.fields)
        if payload is None:
            warnings.warn(f"{path.name}: damaged cache entry, building it again", stacklevel=2)
            self.remove(key)
        else:
            with suppress(OSError):  # Only the order of removal depends on it.
                os.utime(path)
        return payload

    def write(self, key: EngineKey, payload: bytes) -> bool:
        """Store a serialised engine; False, with a warning, if the disk does not take it."""
        header = json.dumps(key.fields, sort_keys=True).encode()
        body = len(header).to_bytes(8, "big") + header + payload
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path(key)) as beside:
                beside.write_bytes(MAGIC + hashlib.sha256(body).digest() + body)
        except (OSError, BrainSegAccelError) as error:
            warnings.warn(f"engine not cached: {error}", stacklevel=2)
            return False
        self._keep_within_limit(self.path(key))
        return True

    def entries(self) -> list[Entry]:
        """Return the engines that are there, the most recently used first."""
        found = []
        for path in self.folder.glob("[!.]*.engine"):
            with suppress(OSError):  # Another process may remove it meanwhile.
                state = path.stat()
                found.append(Entry(path, state.st_size, state.st_mtime, _key_fields(path)))
        return sorted(found, key=lambda entry: entry.used, reverse=True)

    def clear(self) -> int:
        """Remove all engines, what killed processes left of some, and what was measured here.

        :returns: bytes that were freed.
        """
        freed = 0
        kept = ("engines/*.engine", "choices/*.json", "timing/*.bin")
        for path in (p for pattern in kept for p in self.folder.parent.glob(pattern)):
            with suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                freed += size
        return freed

    def _keep_within_limit(self, written: Path) -> None:
        """Remove the least recently used engines; never the one that was just written."""
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self._limit and entry.path.name != written.name:
                with suppress(OSError):
                    entry.path.unlink()
                total -= entry.size

    def remove(self, key: EngineKey) -> None:
        """Remove an entry if it is there."""
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(f"{self.path(key).name} not removed: {error.strerror}", stacklevel=2)


def _key_fields(path: Path) -> Mapping[str, object]:
    """Read the key of an entry without the engine; empty if it has none."""
    with path.open("rb") as file:
        start = file.read(_HEADER)
        length = int.from_bytes(start[-8:], "big")
        if start[: len(MAGIC)] != MAGIC or length > _LONGEST_KEY:
            return {}
        header = file.read(length)
    try:
        fields = json.loads(header)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _checked_payload(content: bytes, expected: Mapping[str, object]) -> bytes | None:
    """Return the payload of an entry whose hash and key are right, else None."""
    start = len(MAGIC) + _DIGEST_BYTES
    if content[: len(MAGIC)] != MAGIC or len(content) < start + 8:
        return None
    body = memoryview(content)[start:]
    if hashlib.sha256(body).digest() != content[len(MAGIC) : start]:
        return None
    length = int.from_bytes(body[:8], "big")
    if json.loads(bytes(body[8 : 8 + length])) != expected:
        return None
    return bytes(body[8 + length :])
