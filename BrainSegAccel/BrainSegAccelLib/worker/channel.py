"""Lines of JSON between two processes of one user on one machine."""

from __future__ import annotations

import socket
from pathlib import Path

from ..errors import RunError

MAX_LINE_BYTES = 1 << 20
"""Longer than any message: a manifest has about ten kilobytes, volumes do not come this way."""
_READ_BYTES = 1 << 16


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete with this data.

        :raises RunError: a line is longer than `MAX_LINE_BYTES`.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, [*lines, self._rest])) > MAX_LINE_BYTES:
            raise RunError("a message that is too long", where="worker")
        return lines


class Channel:
    """One end of a connection, which never waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._lines = Lines()
        self._unsent = b""
        self.closed = False
        """Whether the other end has gone."""

    def send(self, line: bytes) -> None:
        """Queue a line, and send what can be sent at once."""
        self._unsent += line + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send more of what is queued."""
        try:
            while self._unsent and not self.closed:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True

    def receive(self) -> list[bytes]:
        """Return the lines that have arrived.

        :raises RunError: a line is too long.
        """
        lines: list[bytes] = []
        try:
            while not self.closed:
                data = self._socket.recv(_READ_BYTES)
                self.closed = not data
                lines += self._lines.feed(data)
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        return lines

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self._socket.close()


def listen(folder: Path) -> tuple[socket.socket, str]:
    """Wait for a connection of this user, without blocking, and return how to reach it.

    A socket in ``folder``, which nobody else can enter; on Windows a port of this machine that
    other users can reach too, so that whoever connects must show a token.
    """
    if hasattr(socket, "AF_UNIX"):
        listener = socket.socket(socket.AF_UNIX)
        address = str(folder / "socket")
        listener.bind(address)
    else:
        listener = socket.socket(socket.AF_INET)
        listener.bind(("127.0.0.1", 0))
        address = str(listener.getsockname()[1])
    listener.listen()
    listener.setblocking(False)
    return listener, address


def connect(address: str) -> socket.socket:
    """Connect to a listener; the connection waits for data."""
    if hasattr(socket, "AF_UNIX"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
    else:
        connection = socket.create_connection(("127.0.0.1", int(address)))
    return connection
