from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.worker.channel import MAX_LINE_BYTES, Channel, Lines, connect, listen
from hypothesis import given, settings
from hypothesis import strategies as st


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b" "))),
    cut=st.integers(1, 7),
)
@settings(deadline=None)
def test_lines_do_not_depend_on_how_the_stream_is_cut(lines: list[bytes], cut: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cutter = Lines()
    found = []
    for start in range(0, len(stream), cut):
        found += cutter.feed(stream[start : start + cut])
    assert found == lines


def test_an_endless_line_is_refused() -> None:
    cutter = Lines()
    assert cutter.feed(b"x" * MAX_LINE_BYTES) == []
    with pytest.raises(RunError, match="too long"):
        cutter.feed(b"x")


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the plain socket at its other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_nothing_there_is_no_waiting(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    started = time.monotonic()
    assert channel.receive() == []
    theirs.sendall(b"half")
    assert channel.receive() == []
    theirs.sendall(b" and half\nnext")
    assert channel.receive() == [b"half and half"]
    assert time.monotonic() - started < 1.0
    assert not channel.closed


def test_what_does_not_fit_is_sent_later(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    line = b"y" * (8 * MAX_LINE_BYTES)
    channel.send(line)
    got = bytearray()
    while len(got) <= len(line):
        got += theirs.recv(1 << 20)
        channel.flush()
    assert bytes(got) == line + b"\n"


def test_the_end_of_the_other_side_is_noticed(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(b"last\n")
    theirs.close()
    assert channel.receive() == [b"last"]
    assert channel.closed
    channel.send(b"to nobody")


@pytest.mark.parametrize("local", [True, False], ids=["in a folder", "on a port"])
def test_a_listener_is_found(tmp_path, monkeypatch: pytest.MonkeyPatch, local: bool) -> None:
    """Windows has no sockets in folders."""
    if not local:
        monkeypatch.delattr(socket, "AF_UNIX")
    listener, address = listen(tmp_path)
    with listener, connect(address) as theirs:
        theirs.sendall(b"here\n")
        channel = Channel(listener.accept()[0])
        while not (lines := channel.receive()):
            time.sleep(0.01)
        assert lines == [b"here"]
        channel.close()
