from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.worker.link import describe_end, kill, spawn

WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
{then}
"""


def _wait_for(condition, what: str) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 120, what
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("then", ["time.sleep(600)", ""], ids=["alive", "already gone"])
def test_children_end_too(tmp_path: Path, then: str) -> None:
    log = tmp_path / "log"
    process = spawn([sys.executable, "-c", WITH_A_CHILD.format(then=then)], log)
    _wait_for(lambda: log.read_text().endswith("\n"), "no child")
    if not then:
        process.wait(120)
    child = int(log.read_text())
    kill(process)
    process.wait(120)
    _wait_for(lambda: _gone(child), "the child lives on")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no-such-python: cannot be started"):
        spawn(["no-such-python"], tmp_path / "log")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-signal.SIGKILL, "memory ran out, most likely"),
        (128 + signal.SIGKILL, "memory ran out, most likely"),
        (-signal.SIGSEGV, "crashed"),
        (128 + signal.SIGABRT, "crashed"),
        (1, "ended by itself"),
        (0, "ended by itself"),
    ],
)
def test_how_a_process_ended(code: int, said: str) -> None:
    assert said in describe_end(code)
    assert f"exit code {code}" in describe_end(code)
