"""One worker process, with all that it has started, and the connection to it."""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from .. import __version__
from ..backends.cache import default_cache_folder
from ..errors import BrainSegAccelError, RunError
from ..io.atomic import remove_left
from .channel import Channel, listen
from .messages import FROM_WORKER, FromWorker, Hello
from .server import CONTACT_FILE, Contact
from .transfer import Unpacking, make_folder

START_PATIENCE_SECONDS = 120.0
"""A cold disk and a busy machine take that long to import everything, at worst."""
_END_SECONDS = 2.0
_LOG_FILE = "log"
_LOG_LINES = 60


class WorkerGone(Exception):
    """The process has ended, or had to be ended, and nobody had asked for that.

    :param log: its last lines.
    """

    def __init__(self, message: str, log: tuple[str, ...]) -> None:
        super().__init__(message)
        self.message, self.log = message, log


class Link:
    """Starts a process, and talks to it without ever waiting for it.

    :param python: the Python that runs it.
    :param patience: seconds without a sign of life after which it counts as hung.
    :raises RunError: it cannot be started.
    """

    def __init__(self, python: Path, patience: float) -> None:
        self.folder = make_folder()
        self.pid: int | None = None
        """Of the worker itself, known once it is there; ``python`` may be a launcher."""
        self._patience = patience
        self._heard = time.monotonic()
        self._blame: str | None = None
        self._token = secrets.token_hex(32)
        self._strangers: list[Channel] = []
        self._channel: Channel | None = None
        self._listener, address = listen(self.folder)
        contact = Contact(address=address, token=self._token, parent=os.getpid())
        try:
            (self.folder / CONTACT_FILE).write_text(contact.model_dump_json())
            self._process = spawn(
                [str(python), str(Path(__file__).parent), str(self.folder)], self.folder / _LOG_FILE
            )
        except BaseException:
            self._listener.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def ready(self) -> bool:
        """Whether the worker takes requests."""
        return self._channel is not None

    def send(self, line: bytes) -> None:
        """Send a message, as JSON, to a worker that is ready."""
        assert self._channel is not None
        self._channel.send(line)

    def poll(self) -> list[FromWorker]:
        """Return what the worker has said.

        :raises WorkerGone: it has ended, for one that hung or spoke nonsense because it was
            killed; call `close`.
        """
        code = self._process.poll()
        try:
            said = self._greet() if self._channel is None else self._receive(self._channel)
        except (ValidationError, BrainSegAccelError) as error:
            said = self._give_up(f"said what is not understood: {str(error)[:200]}")
        if said:
            self._heard = time.monotonic()
        elif code is not None:
            raise self._gone(self._blame or describe_end(code))
        silent = time.monotonic() - self._heard
        if silent > (self._patience if self.ready else max(self._patience, START_PATIENCE_SECONDS)):
            return self._give_up(f"did not answer for {silent:.0f} s")
        return said

    def _give_up(self, why: str) -> list[FromWorker]:
        """End a process with which nothing can be done, and say why once it has ended."""
        self._blame = self._blame or " ".join(why.split())
        self.kill()
        return []

    def kill(self) -> None:
        """End the process and its children; `poll` notices."""
        kill(self._process)

    def close(self) -> None:
        """End the process and its children and remove everything they shared with this one."""
        kill(self._process)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        for channel in [*self._strangers, *([self._channel] if self._channel else [])]:
            channel.close()
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.pid is not None:
            remove_left(default_cache_folder(), self.pid)

    def _receive(self, channel: Channel) -> list[FromWorker]:
        channel.flush()
        said = [self._read(line) for line in channel.receive()]
        if channel.closed:
            kill(self._process)
        return said

    def _read(self, line: bytes) -> FromWorker:
        return FROM_WORKER.validate_json(line, context=Unpacking(self.folder))

    def _greet(self) -> list[FromWorker]:
        """Let in whoever shows the token, and return what came with it."""
        with suppress(BlockingIOError):
            self._strangers.append(Channel(self._listener.accept()[0]))
        for stranger in self._strangers:
            try:
                lines = stranger.receive()
                hello = Hello.model_validate_json(lines[0]) if lines else None
            except (ValidationError, BrainSegAccelError):
                stranger.close()
                continue
            if hello is not None and self._knows(hello):
                self._strangers.remove(stranger)
                self._channel = stranger
                return [hello, *(self._read(line) for line in lines[1:])]
        return []

    def _knows(self, first: Hello) -> bool:
        """Whether a first message is the worker's."""
        if not hmac.compare_digest(first.token, self._token):
            return False
        if first.version != __version__:
            self._give_up(f"is of version {first.version}, not {__version__}; start again")
        self.pid = first.pid
        return True

    def _gone(self, what: str) -> WorkerGone:
        try:
            text = (self.folder / _LOG_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        return WorkerGone(f"the worker {what}", tuple(text.splitlines()[-_LOG_LINES:]))


_KILLED = 9
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, without a console, its output going to a file.

    :raises RunError: there is no such program.
    """
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW}
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )
    except OSError as error:
        raise RunError(
            f"cannot be started: {error.strerror}",
            where=command[0],
            remedy="install the program again",
        ) from error


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process of `spawn` and all that it has started, whether or not it still runs."""
    if sys.platform == "win32":
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
    else:
        # The group outlives its leader; its number is not given to another as long as it does.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def describe_end(code: int) -> str:
    """Return in words how a process ended that was not asked to.

    :param code: as `subprocess.Popen.returncode` has it; a launcher adds 128 to a signal.
    """
    number = -code if code < 0 else code - 128
    if number == _KILLED:
        what, remedy = "was ended from outside", "memory ran out, most likely: close other programs"
    elif number in _CRASHES:
        what, remedy = "crashed", "run again, or choose another backend"
    else:
        what, remedy = "ended by itself", "its last lines say why"
    return f"{what} (exit code {code}); {remedy}"
