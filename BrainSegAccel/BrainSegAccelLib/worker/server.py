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
import warnings
from pathlib import Path

import psutil
from pydantic import BaseModel

from .. import __version__
from ..backends.cache import default_cache_folder
from ..backends.survey import survey
from ..errors import BrainSegAccelError, InputError, explain
from ..geometry.volume import Volume
from ..io.atomic import remove_left
from ..runs.progress import StageClock
from ..system.allocator import keep_freed_memory
from . import events, messages
from .channel import Lines, connect
from .history import History
from .memory import Block, discard
from .reporter import Reporter, TaskCancelled
from .requests import Options, Segment
from .session import Session
from .transfer import pack_segmented, run_through, unpack

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
    server.send(messages.HelloMessage(token=contact.token, version=__version__, pid=os.getpid()))
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
        self._requests: queue.SimpleQueue[messages.Asked] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._held: dict[int, list[Block]] = {}
        self._volumes: dict[str, Volume] = {}
        self._warm: set[Options] = set()

    def serve(self, parent: int) -> None:
        """Answer requests on this thread, for runtimes that bind an engine to one; never return.

        :param parent: process identifier of the client's program.
        """
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, args=[parent], daemon=True).start()
        while True:
            self._answer(self._requests.get())

    def send(self, message: messages.Message) -> None:
        """Send a message from any thread."""
        try:
            with self._sending:
                self._socket.sendall(messages.encode(message) + b"\n")
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
                    self._take_in(messages.decode_request(line))
        except Exception:
            traceback.print_exc()
        self._leave()

    def _take_in(self, message: messages.ToWorker) -> None:
        if isinstance(message, messages.CancelMessage):
            self._cancelled.add(message.task)
        elif isinstance(message, messages.ReceivedMessage):
            self._held.pop(message.task, None)
        else:
            self._requests.put(message)

    def _beat(self, parent: int) -> None:
        """Say now and then that this process lives, as long as the client's does."""
        while psutil.pid_exists(parent):
            self.send(messages.AliveMessage())
            time.sleep(HEARTBEAT_SECONDS)
        self._leave()

    def _answer(self, request: messages.Asked) -> None:
        report = Reporter(request.task, self.send, lambda: request.task in self._cancelled)
        answer: messages.Answer
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                answer = self._do(request, report, caught)
            report.check()
        except TaskCancelled:
            self._discard_result(request.task)
            answer = messages.CancelledMessage(task=request.task)
        except Exception as error:
            self._discard_result(request.task)
            if not isinstance(error, BrainSegAccelError):
                traceback.print_exc()
            answer = messages.FailedMessage(
                task=request.task,
                message=explain(error),
                unusable_input=isinstance(error, InputError),
            )
        self._cancelled.discard(request.task)
        self.send(answer)

    def _discard_result(self, task: int) -> None:
        """Remove what a result has in shared memory that will not be sent."""
        discard(self._folder, self._held.pop(task, []))

    def _do(
        self,
        request: messages.Asked,
        report: Reporter,
        caught: list[warnings.WarningMessage],
    ) -> messages.Answer:
        if isinstance(request, messages.ListMessage):
            return messages.ListedMessage(task=request.task, combinations=survey())
        kinds = [f"{heat} {_kind(request)}" for heat in ("cold", "warm")]
        if request.options in self._warm:
            kinds.reverse()
        answer: messages.Answer
        if isinstance(request, messages.WarmUpMessage):
            report.plan(self._history.recall(*kinds))
            answer = self._warm_up(request, report, caught)
        else:
            asked, self._volumes = unpack(request, self._folder, self._volumes)
            report.plan(self._history.recall(*kinds))
            answer = self._segment(request.task, asked, report, caught)
        self._warm.add(request.options)
        self._history.remember(kinds[0], report.stages())
        return answer

    def _warm_up(
        self,
        request: messages.WarmUpMessage,
        report: Reporter,
        caught: list[warnings.WarningMessage],
    ) -> messages.WarmedMessage:
        clock = StageClock(report)
        info = self._session.pipeline(request.options).warm(clock).info
        return messages.WarmedMessage(
            task=request.task,
            backend=info.backend,
            precision=info.precision,
            device=info.device,
            built=bool(clock.stages_ms),
            warnings=_ours(caught),
        )

    def _segment(
        self,
        task: int,
        asked: Segment,
        report: Reporter,
        caught: list[warnings.WarningMessage],
    ) -> messages.SegmentedMessage:
        result, manifest = self._session.segment(asked, StageClock(report))
        found = events.Segmented(
            task, result.segmentation, result.kept, manifest, manifest.warnings
        )
        held = self._held[task] = []
        return run_through(pack_segmented(found, self._folder, held))


def _kind(request: messages.SegmentMessage | messages.WarmUpMessage) -> str:
    """Return what tasks that take about as long have in common."""
    options = " ".join(vars(request.options).values())
    if isinstance(request, messages.WarmUpMessage):
        return f"{request.kind} {options}"
    where = "region" if request.roi else "whole"
    repeated = f"{request.iterations or 0} {'verified' if request.verify else ''}"
    return f"{request.kind} {len(request.volumes)} {where} {repeated} {options}"


def _ours(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return what this library warned of, each once."""
    library = str(Path(__file__).parents[1])
    texts = (
        str(warning.message)
        for warning in caught
        if warning.category is UserWarning and warning.filename.startswith(library)
    )
    return tuple(dict.fromkeys(texts))
