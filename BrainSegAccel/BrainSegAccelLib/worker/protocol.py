"""What a program with a window sees of the worker."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from .events import Event
from .requests import Request


class State(StrEnum):
    """What the worker process does."""

    STOPPED = "stopped"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"


class Worker(Protocol):
    """One background process with a warm model, seen from the program that owns it.

    Nothing here waits: each call returns within milliseconds, and everything goes on only inside
    of `poll`, which starts no thread. Call it from a timer: every 10 ms while there are tasks, as
    volumes are copied a piece with each call; once a second while there are none.
    """

    @property
    def state(self) -> State:
        """What the process does."""
        ...

    @property
    def tasks(self) -> tuple[int, ...]:
        """The tasks that are not answered yet, the current one first."""
        ...

    def start(self) -> None:
        """Start the process unless it is there; `submit` does so too."""
        ...

    def submit(self, request: Request) -> int:
        """Queue a request and return the number of its task, 1 and up.

        Tasks run one after the other. Each is answered by exactly one of `events.Segmented`,
        `events.Warmed`, `events.Listed`, `events.Failed` and `events.Cancelled`.

        :raises InputError: the worker is closed.
        """
        ...

    def cancel(self, task: int) -> None:
        """Ask for a task to end; `events.Cancelled` follows within a second.

        A task that is finished meanwhile is answered as finished. Unknown numbers are ignored.
        """
        ...

    def poll(self) -> list[Event]:
        """Carry things forward a little and return what happened since the last call.

        Takes at most about 15 ms. At most one `events.Progress` comes with each call.
        """
        ...

    def close(self) -> None:
        """End the process and leave nothing of it; its tasks are not answered any more."""
        ...
