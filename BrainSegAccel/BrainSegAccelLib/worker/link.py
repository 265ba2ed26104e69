"""One worker process and the connection to it, for as long as the process lives."""

from __future__ import annotations

import hmac
import os
import secrets
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from .. import __version__
from ..backends.cache import default_cache_folder
from ..errors import BrainSegAccelError
from ..io.atomic import remove_left
from . import messages
from .channel import Channel, listen
from .memory import make_folder
from .process import describe_end, kill, spawn
from .server import CONTACT_FILE, Contact

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

    def send(self, message: messages.ToWorker) -> None:
        """Send a message to a worker that is ready."""
        assert self._channel is not None
        self._channel.send(messages.encode(message))

    def poll(self) -> list[messages.FromWorker]:
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

    def _give_up(self, why: str) -> list[messages.FromWorker]:
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

    def _receive(self, channel: Channel) -> list[messages.FromWorker]:
        channel.flush()
        said = [messages.decode_report(line) for line in channel.receive()]
        if channel.closed:
            kill(self._process)
        return said

    def _greet(self) -> list[messages.FromWorker]:
        """Let in whoever shows the token, and return what came with it."""
        with suppress(BlockingIOError):
            self._strangers.append(Channel(self._listener.accept()[0]))
        for stranger in self._strangers:
            try:
                said = [messages.decode_report(line) for line in stranger.receive()]
            except (ValidationError, BrainSegAccelError):
                stranger.close()
                continue
            if said and self._knows(said[0]):
                self._strangers.remove(stranger)
                self._channel = stranger
                return said
        return []

    def _knows(self, first: messages.FromWorker) -> bool:
        """Whether a first message is the worker's."""
        if not isinstance(first, messages.HelloMessage):
            return False
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
