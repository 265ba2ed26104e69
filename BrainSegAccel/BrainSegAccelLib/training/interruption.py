"""Ctrl-C and polite kills that end a run after its step, not within it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruption() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one interrupts at once.

    Only the main thread hears signals: elsewhere the event is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: object) -> None:
        asked.set()
        put_back()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        put_back()


def leave_interruptions_to_parent() -> None:
    """In a process that draws samples: Ctrl-C reaches it too, and would leave the run waiting."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
