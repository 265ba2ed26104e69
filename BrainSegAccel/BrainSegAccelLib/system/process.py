"""How a process of this program behaves: warnings in one line, and a polite kill unwinds."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Show warnings of this library, such as a damaged cache entry, like its errors."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category is UserWarning:
            print(f"brainsegaccel: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def terminable() -> Iterator[None]:
    """Let a polite kill unwind like Ctrl-C, so that no partial file stays behind."""

    def unwind(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
