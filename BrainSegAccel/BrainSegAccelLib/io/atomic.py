"""Replacing a file in one go: its old content stays until the new one is complete."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError, RunError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside ``path``; what was written there becomes ``path`` at the end.

    The yielded name ends like the name of ``path``, so that writers which go by the suffix work.
    Whatever ends the body early, Ctrl-C included, leaves ``path`` as it was and nothing beside it.
    A symbolic link is followed, not replaced.

    :raises InputError: ``path`` is a folder or a device.
    :raises RunError: the system refused to write or rename, e.g. a full disk.
    """
    _check_replaceable(path)
    target = path.resolve()
    temporary = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.{target.name}")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise RunError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            remedy="free some space or choose another folder",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_left(folder: Path, process: int) -> None:
    """Remove what a process that was killed while it wrote has left in a folder and below.

    :param process: its identifier.
    """
    for temporary in folder.rglob(f".{process}-*"):
        temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a path that `atomic_write` could not write, before any work is spent on its content.

    :raises InputError: its folder does not exist or cannot be written; it is a folder or a device.
    """
    _check_replaceable(path)
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InputError(
            f"folder {folder} does not exist",
            where=str(path),
            remedy="create it or choose another one",
        )
    try:
        # Asking the system: permission bits do not tell of read-only mounts, quotas and ACLs.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"folder {folder} cannot be written: {error.strerror}",
            where=str(path),
            remedy="choose another one",
        ) from error


def _check_replaceable(path: Path) -> None:
    """Refuse what renaming would fail on or destroy, such as ``/dev/null``."""
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a plain file"
        raise InputError(f"is {kind}", where=str(path), remedy="give the name of a file")
