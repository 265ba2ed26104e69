"""A folder for results: made if need be, and not left behind empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..io.atomic import check_place


@contextmanager
def ready_folder(folder: Path) -> Iterator[None]:
    """Make a folder unless it is there; if the body fails, remove what was made.

    :raises InputError: it cannot be made, or files cannot be written there.
    """
    made = not folder.is_dir()
    if made:
        try:
            folder.mkdir()
        except OSError as error:
            raise InputError(
                f"the folder cannot be made ({error.strerror})",
                where=str(folder),
                remedy="choose another one",
            ) from error
    try:
        check_place(folder / "file")
        yield
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
