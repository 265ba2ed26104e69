"""What the backends need to know about this machine."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil


@cache
def cpu_name() -> str:
    """Model name of the CPU, or the architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may use: affinity where there is one, physical before logical."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:
        allowed = os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, physical))


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it; None if it is not there."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
