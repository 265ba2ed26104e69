"""A report's files: its data as JSON, a page for people, and perhaps a picture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydantic import BaseModel

from ..io.atomic import atomic_write
from ..manifest.write import render_json


def write_report(
    report: BaseModel, page: str, place: Path, draw: Callable[[Path], None] | None = None
) -> list[Path]:
    """Write a report; the last file is complete before the first is in place.

    :param place: folder and name of the files, without a suffix.
    :param draw: writes the picture, a PNG; None for none.
    :returns: the files.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: path.write_text(as_json(report), encoding="utf-8"),
        ".md": lambda path: path.write_text(page, encoding="utf-8"),
    }
    if draw is not None:
        writers[".png"] = draw
    files = [place.with_name(place.name + suffix) for suffix in writers]
    with ExitStack() as stack:
        for file, write in zip(files, writers.values(), strict=True):
            write(stack.enter_context(atomic_write(file)))
    return files


def as_json(report: BaseModel) -> str:
    """Return a report's data as JSON text, keys in the order of the model."""
    return render_json(report.model_dump(mode="json"))
