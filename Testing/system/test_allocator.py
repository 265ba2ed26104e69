"""A process that keeps what it freed faults no pages in for its next volume."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from BrainSegAccelLib.system.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def volume():
    np.ones((160, 192, 160), np.float32)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    volume()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(volume).result()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_memory_that_was_freed_is_there_for_the_next_volume() -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)

    def faults(mode: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, mode],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    # Two arrays of 19.7 MB have 9,600 pages of 4 KiB; large pages are fewer.
    kept, given_back = faults("keep"), faults("give back")
    assert kept < 300
    assert kept < given_back / 5 or given_back < 300
