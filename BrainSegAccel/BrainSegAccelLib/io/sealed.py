"""Files of our own that say what they hold and whether all of it is there.

A sealed file is one line, ``BrainSegAccel KIND SHA-256``, and its content. What is not of the kind
that is asked for, or of which a single bit has changed, is not opened.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import InputError
from .atomic import atomic_write

_DIGEST_LENGTH = 65


def write_sealed(path: Path, kind: str, content: bytes) -> None:
    """Write ``content`` with its seal, whole or not at all.

    :param kind: what it is, a word.
    :raises RunError: as `atomic_write`.
    """
    with atomic_write(path) as beside, beside.open("wb") as file:
        file.write(_begin(kind) + _digest(content))
        file.write(content)


def read_sealed(path: Path, kind: str) -> bytes:
    """Return the content of a sealed file.

    :raises InputError: it cannot be read, is of another kind, or is damaged.
    """
    begin = _begin(kind)
    try:
        with path.open("rb") as file:
            known = file.read(len(begin)) == begin
            digest = file.read(_DIGEST_LENGTH)
            content = file.read() if known else b""
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", where=path.name, remedy="check the path"
        ) from error
    if not known:
        raise InputError(
            f"is no {kind} of this version of BrainSegAccel", where=path.name, remedy="make it anew"
        )
    if digest != _digest(content):
        raise InputError(
            "is damaged: its content has another checksum",
            where=path.name,
            remedy="copy it again from where it came, or make it anew",
        )
    return content


def _begin(kind: str) -> bytes:
    return b"BrainSegAccel " + kind.encode() + b" "


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n"
