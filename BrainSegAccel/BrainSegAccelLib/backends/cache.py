"""Compiled engines kept on disk: written atomically, checked when read, rebuilt when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import BrainSegAccelError
from ..files.atomic import atomic_write

MAGIC = b"BSAENG1\n"
_DIGEST_BYTES = 32


def default_cache_folder() -> Path:
    """Folder of the cache: ``BRAINSEGACCEL_CACHE`` if set, else the user's cache folder."""
    chosen = os.environ.get("BRAINSEGACCEL_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("brainsegaccel")


@dataclass(frozen=True)
class EngineKey:
    """Everything that, when it changes, makes a compiled engine another one."""

    weights_sha256: str
    network_config_sha256: str
    shape: tuple[int, int, int]
    precision: str
    backend: str
    backend_version: str
    device_name: str
    driver: str = ""
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

    :param folder: where the entries lie; made when the first is written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_cache_folder()) / "engines"

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
        return True

    def remove(self, key: EngineKey) -> None:
        """Remove an entry if it is there."""
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(f"{self.path(key).name} not removed: {error.strerror}", stacklevel=2)


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
