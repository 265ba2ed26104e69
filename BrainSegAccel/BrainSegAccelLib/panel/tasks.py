"""The worker's queue, polled by a timer; each task has one who listens."""

from __future__ import annotations

import logging
from collections.abc import Callable

import qt

from ..worker.client import Worker
from ..worker.messages import Event, Lost, Progress, Request

BUSY_MS, IDLE_MS = 5, 1000
"""Milliseconds between two polls while there are tasks, and while there are none."""

Listen = Callable[[Event], None]


class Tasks:
    """Hands requests to the worker, and its events to whoever asked.

    :param worker: its process ends with `close`.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._listeners: dict[int, Listen] = {}
        self._closed = False
        self._timer = qt.QTimer()
        self._timer.interval = IDLE_MS
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    @property
    def closed(self) -> bool:
        """Whether nobody is told anything any more."""
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether a task is not answered yet."""
        return bool(self._listeners)

    def submit(self, request: Request, listen: Listen) -> int:
        """Queue a request.

        :param listen: gets the task's events, its answer last.
        """
        task = self._worker.submit(request)
        self._listeners[task] = listen
        self._timer.interval = BUSY_MS
        return task

    def cancel(self, task: int) -> None:
        """Ask for a task to end."""
        self._worker.cancel(task)

    def close(self) -> None:
        """End the process; nobody is told anything any more."""
        self._closed = True
        self._timer.stop()
        self._listeners.clear()
        self._worker.close()

    def _poll(self) -> None:
        for event in self._worker.poll():
            if isinstance(event, Lost):
                logging.warning("BrainSegAccel: %s\n%s", event.message, "\n".join(event.log))
                continue
            done = not isinstance(event, Progress)
            listen = (self._listeners.pop if done else self._listeners.get)(event.task, None)
            if listen is not None:
                listen(event)
        self._timer.interval = BUSY_MS if self._listeners else IDLE_MS
