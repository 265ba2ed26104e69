"""Starting a background process and ending it with all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ..errors import RunError

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
