"""The worker as a program with a window has it: one process, a queue of tasks, no waiting."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

from ..errors import BrainSegAccelError, InputError
from ..geometry.volume import Volume
from ..manifest.model import PROCESS_START, Manifest
from ..manifest.revise import add_stages
from .link import Link, WorkerGone
from .messages import (
    Advanced,
    Alive,
    Answer,
    Asked,
    Begun,
    Cancel,
    Cancelled,
    Event,
    Failed,
    FromWorker,
    Hello,
    Lost,
    Message,
    Planned,
    Progress,
    Received,
    Request,
    Segment,
    Segmented,
)
from .time_left import Timeline
from .transfer import Block, Known, Packed, Steps, discard, pack

CANCEL_GRACE_SECONDS = 0.4
"""A cancelled task that has not let go by then goes with its process."""
_STEP_SECONDS = 0.012
"""Volumes are copied for this long with each call of `WorkerClient.poll`."""
_PROGRESS_SECONDS = 0.05
"""Progress within a stage is told no more often: whoever shows it takes time from the network."""

STARTING, SENDING, TRANSFER = "start worker", "send volumes", "transfer"


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

        Tasks run one after the other. Each is answered by exactly one of `Segmented`,
        `Warmed`, `Listed`, `Failed` and `Cancelled`.

        :raises InputError: the worker is closed.
        """
        ...

    def cancel(self, task: int) -> None:
        """Ask for a task to end; `Cancelled` follows within a second.

        A task that is finished meanwhile is answered as finished. Unknown numbers are ignored.
        """
        ...

    def poll(self) -> list[Event]:
        """Carry things forward a little and return what happened since the last call.

        Takes at most about 15 ms. At most one `Progress` comes with each call.
        """
        ...

    def close(self) -> None:
        """End the process and leave nothing of it; its tasks are not answered any more."""
        ...


@dataclass(eq=False)
class _Task:
    """A request on its way.

    :param began: when it became the current one; None before.
    :param waited_ms: how long it then had to wait for the process to start.
    :param steps: what is left to do to send it.
    :param known: volumes that the worker has or gets; those of the request stay there.
    :param volumes: those of the request.
    :param held: its shared memory, until the worker has taken it.
    :param sent: whether the worker has it.
    :param cancelled: when it was.
    :param told: the stage that was told last, and when.
    """

    number: int
    request: Request
    began: float | None = None
    waited_ms: float | None = None
    timeline: Timeline = field(default_factory=Timeline)
    steps: Steps[Packed] | None = None
    known: Known = field(default_factory=WeakKeyDictionary)
    volumes: tuple[Volume, ...] = ()
    held: list[Block] = field(default_factory=list)
    sent: bool = False
    cancelled: float | None = None
    told: tuple[str, float] = ("", 0.0)


class WorkerClient:
    """The `Worker` of this machine.

    :param python: the Python that runs the worker, e.g. ``PythonSlicer``.
    :param patience: seconds without a sign of life after which the worker counts as hung. It gives
        one twice a second, whatever it works on.
    """

    def __init__(self, python: str | Path = sys.executable, *, patience: float = 60.0) -> None:
        self._python, self._patience = Path(python), patience
        self._link: Link | None = None
        self._tasks: deque[_Task] = deque()
        self._events: list[Event] = []
        self._known: Known = WeakKeyDictionary()
        self._numbers = 0
        self._closed = False

    @property
    def state(self) -> State:
        """See `Worker.state`."""
        if self._link is None:
            return State.STOPPED
        if not self._link.ready:
            return State.STARTING
        return State.BUSY if self._tasks else State.IDLE

    @property
    def tasks(self) -> tuple[int, ...]:
        """See `Worker.tasks`."""
        return tuple(task.number for task in self._tasks)

    @property
    def pid(self) -> int | None:
        """Identifier of the worker's process once it is there."""
        return self._link.pid if self._link else None

    def start(self) -> None:
        """See `Worker.start`.

        :raises RunError: it cannot be started.
        """
        self._check_open()
        if self._link is None:
            self._link = Link(self._python, self._patience)

    def submit(self, request: Request) -> int:
        """See `Worker.submit`."""
        self._check_open()
        self._numbers += 1
        self._tasks.append(_Task(self._numbers, request))
        return self._numbers

    def cancel(self, task: int) -> None:
        """See `Worker.cancel`."""
        for found in self._tasks:
            if found.number == task and found.cancelled is None:
                found.cancelled = time.monotonic()
                if found.sent and self._link is not None:
                    self._link.send(_line(Cancel(task=task)))

    def poll(self) -> list[Event]:
        """See `Worker.poll`."""
        try:
            self._drop_unsent()
            if self._tasks:
                self._begin(self._tasks[0])
                self.start()
            if self._link is not None:
                self._forward(self._link)
        except WorkerGone as gone:
            self._lose(gone)
        except BrainSegAccelError as error:
            self._answer(self._failed(str(error), unusable_input=error.exit_code == 2))
        happened, self._events = self._events, []
        return happened

    def close(self) -> None:
        """See `Worker.close`."""
        self._closed = True
        self._tasks.clear()
        if self._link is not None:
            self._link.close()
            self._link = None

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("is closed", where="worker", remedy="make another client")

    def _drop_unsent(self) -> None:
        """Answer the cancelled tasks of which the worker knows nothing."""
        for task in [task for task in self._tasks if task.cancelled and not task.sent]:
            self._forget(task)
            self._events.append(Cancelled(task=task.number, warm=self._link is not None))
            self._tasks.remove(task)

    def _begin(self, task: _Task) -> None:
        """Note when a task becomes the current one."""
        if task.began is None:
            task.began, task.timeline = time.monotonic(), Timeline()
            ready = self._link is not None and self._link.ready
            task.timeline.begin(SENDING if ready else STARTING)

    def _forward(self, link: Link) -> None:
        """Take in what the worker says, and let the current task get on."""
        for message in link.poll():
            self._take_in(link, message)
        if not self._tasks:
            return
        task = self._tasks[0]
        self._begin(task)
        assert task.began is not None
        if not link.ready:
            task.waited_ms = 1000.0 * (time.monotonic() - task.began)
        elif not task.sent:
            self._send_more(link, task)
        elif task.cancelled and time.monotonic() - task.cancelled > CANCEL_GRACE_SECONDS:
            link.kill()
        if not task.cancelled:
            self._tell_progress(task)

    def _tell_progress(self, task: _Task) -> None:
        line, (stage, when), now = task.timeline, task.told, time.monotonic()
        if line.stage != stage or now - when > _PROGRESS_SECONDS:
            task.told = line.stage, now
            self._events.append(
                Progress(
                    task=task.number,
                    stage=line.stage,
                    fraction=line.fraction(),
                    seconds_left=line.seconds_left(),
                )
            )

    def _send_more(self, link: Link, task: _Task) -> None:
        if task.steps is None:
            task.timeline.begin(SENDING)
            if isinstance(task.request, Segment):
                # From here until the worker says that it has these, nothing is sure.
                task.known, self._known = self._known, WeakKeyDictionary()
            task.steps = pack(task.request, link.folder, task.held, task.known)
        until = time.monotonic() + _STEP_SECONDS
        try:
            while time.monotonic() < until:
                next(task.steps)
        except StopIteration as done:
            packed: Packed = done.value
            task.volumes = packed.volumes
            link.send(_line(Asked(task=task.number, request=packed.line.decode())))
            task.sent = True

    def _take_in(self, link: Link, message: FromWorker) -> None:
        if isinstance(message, Hello | Alive):
            return
        if not self._tasks or self._tasks[0].number != message.task:
            return
        task = self._tasks[0]
        if isinstance(message, Planned):
            task.held.clear()
            if isinstance(task.request, Segment):
                known = {volume: task.known[volume] for volume in task.volumes}
                self._known = WeakKeyDictionary(known)  # It keeps these, and no others.
            task.timeline.plan(message.stages or ())
        elif isinstance(message, Begun):
            task.timeline.begin(message.stage)
            if not task.cancelled:  # Told at once: it may be over before the next poll.
                self._tell_progress(task)
        elif isinstance(message, Advanced):
            task.timeline.advance(message.fraction)
        else:
            if isinstance(message, Segmented):
                link.send(_line(Received(task=task.number)))
                message = message.model_copy(update={"manifest": _whole_task(task, message)})
            self._answer(Cancelled(task=task.number, warm=True) if task.cancelled else message)

    def _failed(
        self, message: str, log: tuple[str, ...] = (), *, unusable_input: bool = False
    ) -> Failed:
        """Return the answer to the current task that came to nothing."""
        number = self._tasks[0].number
        return Failed(task=number, message=message, unusable_input=unusable_input, log=log)

    def _answer(self, event: Answer) -> None:
        """Answer the current task."""
        self._forget(self._tasks.popleft())
        self._events.append(event)

    def _lose(self, gone: WorkerGone) -> None:
        """Let go of a process that is gone, and answer for what it was doing."""
        assert self._link is not None
        was_ready = self._link.ready
        self._link.close()
        self._link = None
        self._known.clear()
        task = self._tasks[0] if self._tasks else None
        if task is not None and task.cancelled:
            self._answer(Cancelled(task=task.number, warm=False))
        elif task is not None and (task.sent or not was_ready):
            self._answer(self._failed(gone.message, gone.log))
        else:
            if task is not None:  # The worker had not seen it: another one will.
                task.steps = None
                task.held.clear()
            self._events.append(Lost(message=gone.message, log=gone.log))

    def _forget(self, task: _Task) -> None:
        """Remove what a task has in shared memory and the worker has not taken."""
        if task.steps is not None:
            task.steps.close()
        if self._link is not None:
            discard(self._link.folder, task.held)


def _line(message: Message) -> bytes:
    return message.model_dump_json().encode()


def _whole_task(task: _Task, result: Segmented) -> Manifest:
    """Return the manifest with the time that passed outside of the worker."""
    assert task.began is not None
    passed_ms = 1000.0 * (time.monotonic() - task.began)
    waited = {} if task.waited_ms is None else {PROCESS_START: task.waited_ms}
    known_ms = sum(waited.values()) + result.manifest.latency.total_ms
    between = max(0.0, passed_ms - known_ms)
    return add_stages(result.manifest, waited, {TRANSFER: between})
