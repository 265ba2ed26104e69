"""What a person was told in words while something ran, for the record of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_LIBRARY = str(Path(__file__).resolve().parents[1])


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list that receives this library's warnings, each once; they are shown as before."""
    told: list[str] = []
    show = warnings.showwarning

    def note(
        message: Warning | str, category: type[Warning], filename: str, *rest: Any, **named: Any
    ) -> None:
        ours = category is UserWarning and filename.startswith(_LIBRARY)
        if ours and str(message) not in told:
            told.append(str(message))
        show(message, category, filename, *rest, **named)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield told
