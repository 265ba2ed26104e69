"""The worker process: takes requests from the channel, one after the other, until it closes."""

from __future__ import annotations

import faulthandler
import os
import queue
import shutil
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from .. import __version__
from ..backends.cache import default_cache_folder
from ..backends.choice import EngineChoice
from ..backends.survey import survey
from ..errors import BrainSegAccelError, InputError, explain
from ..geometry.volume import Volume
from ..io.atomic import remove_left
from ..records import first_problem
from ..runs.progress import StageClock
from ..runs.told import noted
from ..system.allocator import keep_freed_memory
from .channel import Lines, connect
from .messages import (
    REQUEST,
    TO_WORKER,
    Advanced,
    Alive,
    Answer,
    Asked,
    Begun,
    Cancel,
    Cancelled,
    Failed,
    Hello,
    ListBackends,
    Listed,
    Message,
    Planned,
    Received,
    Request,
    Segment,
    Segmented,
    Stages,
    ToWorker,
    Warmed,
    WarmUp,
)
from .session import Session
from .time_left import History
from .transfer import Block, Unpacking, discard, pack, run_through

HEARTBEAT_SECONDS = 0.5


class Contact(BaseModel):
    """How the worker reaches the program that started it.

    :param address: see `channel.listen`.
    :param token: shows that it is the worker.
    :param parent: process identifier of the program; the worker ends with it.
    """

    address: str
    token: str
    parent: int


CONTACT_FILE = "contact.json"
"""In the folder that the worker is started with; the worker removes it."""


def main() -> None:
    """Run the worker; the folder that it shares with its client is the one argument."""
    faulthandler.enable()
    keep_freed_memory()
    folder = Path(sys.argv[1])
    contact = Contact.model_validate_json((folder / CONTACT_FILE).read_bytes())
    (folder / CONTACT_FILE).unlink()
    from ..runs import pipeline  # noqa: F401  (while whoever waits is told that it starts)

    server = Server(connect(contact.address), folder, Session(), History(default_cache_folder()))
    server.send(Hello(token=contact.token, version=__version__, pid=os.getpid()))
    server.serve(contact.parent)


class Server:
    """Answers requests until the other end hangs up.

    :param connection: to the client.
    :param folder: of `memory.make_folder`, shared with the client.
    """

    def __init__(
        self, connection: socket.socket, folder: Path, session: Session, history: History
    ) -> None:
        self._socket, self._folder = connection, folder
        self._session, self._history = session, history
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._held: dict[int, list[Block]] = {}
        self._volumes: dict[str, Volume] = {}
        self._warm: set[tuple[str, EngineChoice]] = set()

    def serve(self, parent: int) -> None:
        """Answer requests on this thread, for runtimes that bind an engine to one; never return.

        :param parent: process identifier of the client's program.
        """
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, args=[parent], daemon=True).start()
        while True:
            self._answer(self._requests.get())

    def send(self, message: Message) -> None:
        """Send a message that holds no array, from any thread."""
        self._send(_line(message))

    def _send(self, line: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(line + b"\n")
        except OSError:
            self._leave()

    def _leave(self) -> None:
        """End this process and its children at once, and leave nothing of it."""
        for child in psutil.Process().children(recursive=True):
            child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        remove_left(default_cache_folder(), os.getpid())
        os._exit(0)

    def _listen(self) -> None:
        """Take messages in; the end of the stream is the end of the process."""
        lines = Lines()
        try:
            while data := self._socket.recv(1 << 16):
                for line in lines.feed(data):
                    self._take_in(TO_WORKER.validate_json(line))
        except Exception:
            traceback.print_exc()
        self._leave()

    def _take_in(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            self._cancelled.add(message.task)
        elif isinstance(message, Received):
            self._held.pop(message.task, None)
        else:
            self._requests.put(message)

    def _beat(self, parent: int) -> None:
        """Say now and then that this process lives, as long as the client's does."""
        while psutil.pid_exists(parent):
            self.send(Alive())
            time.sleep(HEARTBEAT_SECONDS)
        self._leave()

    def _answer(self, asked: Asked) -> None:
        task = asked.task
        report = Reporter(task, self.send, lambda: task in self._cancelled)
        try:
            line = self._do(asked, report)
            report.check()
        except TaskCancelled:
            line = self._instead(Cancelled(task=task, warm=True))
        except Exception as error:
            if not isinstance(error, BrainSegAccelError):
                traceback.print_exc()
            unusable = isinstance(error, InputError)
            line = self._instead(Failed(task=task, message=explain(error), unusable_input=unusable))
        self._cancelled.discard(task)
        self._send(line)

    def _instead(self, answer: Cancelled | Failed) -> bytes:
        """Return an answer that takes the place of a result, of which nothing is left."""
        discard(self._folder, self._held.pop(answer.task, []))
        return _line(answer)

    def _do(self, asked: Asked, report: Reporter) -> bytes:
        """Do what is asked and return the answer."""
        request = self._read(asked)
        if isinstance(request, ListBackends):
            return _line(Listed(task=asked.task, combinations=survey()))
        engine = request.options.model, request.options.engine
        kinds = [f"{heat} {_kind(request)}" for heat in ("cold", "warm")]
        if engine in self._warm:
            kinds.reverse()
        report.plan(self._history.recall(*kinds))
        answer: Answer
        if isinstance(request, WarmUp):
            answer = self._warm_up(asked.task, request, StageClock(report))
        else:
            answer = self._segment(asked.task, request, StageClock(report))
        held = self._held[asked.task] = []
        line = run_through(pack(answer, self._folder, held)).line
        self._warm.add(engine)
        self._history.remember(kinds[0], report.stages())
        return line

    def _read(self, asked: Asked) -> Request:
        """Return a request; its volumes stay here for the next one, and no others.

        :raises InputError: it is none.
        """
        unpacking = Unpacking(self._folder, self._volumes)
        try:
            request = REQUEST.validate_json(asked.request, context=unpacking)
        except ValidationError as error:
            raise InputError(first_problem(error), where="request") from error
        if isinstance(request, Segment):
            self._volumes = unpacking.volumes
        return request

    def _warm_up(self, task: int, request: WarmUp, clock: StageClock) -> Warmed:
        with noted() as told:
            info = self._session.pipeline(request.options).warm(clock).info
        return Warmed(
            task=task,
            backend=info.backend,
            precision=info.precision,
            device=info.device,
            built=bool(clock.stages_ms),
            warnings=tuple(told),
        )

    def _segment(self, task: int, request: Segment, clock: StageClock) -> Segmented:
        result, manifest = self._session.segment(request, clock)
        return Segmented(
            task=task, segmentation=result.segmentation, kept=result.kept, manifest=manifest
        )


def _line(message: Message) -> bytes:
    return message.model_dump_json().encode()


def _kind(request: Segment | WarmUp) -> str:
    """Return what tasks that take about as long have in common."""
    options = request.options
    what = f"{request.kind} {options.model_dump_json(include={'model', 'engine'})}"
    if isinstance(request, WarmUp):
        return what
    left_out = {"model", "engine", "refinement", "brain_mask", "grid", "roi", "base"}
    where = "region" if options.roi else "whole"
    return f"{what} {len(request.volumes)} {where} {options.model_dump_json(exclude=left_out)}"


_SECONDS_BETWEEN = 0.1
"""Shares of a stage are told no more often."""


class TaskCancelled(BaseException):
    """Unwinds a task; no `Exception`, so that nothing on the way takes it for a failure."""


class Reporter:
    """The `runs.progress.Progress` of one task.

    :param send: sends a message to the client.
    :param cancelled: whether the task has been cancelled.
    """

    def __init__(
        self, task: int, send: Callable[[Message], None], cancelled: Callable[[], bool]
    ) -> None:
        self._task, self._send, self._cancelled = task, send, cancelled
        self._begun: list[tuple[str, float]] = []
        self._advanced = 0.0

    def plan(self, stages: Stages | None) -> None:
        """Say that the task begins, and which stages are expected."""
        self._send(Planned(task=self._task, stages=stages))

    def begin(self, stage: str) -> None:
        """Say that a stage begins.

        :raises TaskCancelled: the task has been cancelled.
        """
        self.check()
        self._begun.append((stage, time.perf_counter()))
        self._send(Begun(task=self._task, stage=stage))

    def advance(self, fraction: float) -> None:
        """Say that this share of the stage is done.

        :raises TaskCancelled: the task has been cancelled.
        """
        self.check()
        now = time.perf_counter()
        if now - self._advanced > _SECONDS_BETWEEN:
            self._advanced = now
            self._send(Advanced(task=self._task, fraction=fraction))

    def check(self) -> None:
        """Let go of the task if it has been cancelled.

        :raises TaskCancelled: it has.
        """
        if self._cancelled():
            raise TaskCancelled

    def stages(self) -> Stages:
        """Return the stages so far with their seconds, the last one until now."""
        ends = [*(started for _, started in self._begun), time.perf_counter()][1:]
        return tuple(
            (name, end - started) for (name, started), end in zip(self._begun, ends, strict=True)
        )
