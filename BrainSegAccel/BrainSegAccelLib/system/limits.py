"""What a container leaves of the machine: CPU quota and memory limit of Linux control groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes "no limit" as the largest page-aligned 64-bit number."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds set on this process; None where there is none.

    :param cores: CPU quota in cores, e.g. 1.5.
    :param memory_bytes: memory limit.
    """

    cores: float | None
    memory_bytes: int | None


def read_limits(root: Path = Path("/")) -> Limits:
    """Read the tightest limits on the way from this process's control group up to the root.

    Files by the kernel's ``cgroup-v2.rst`` (``cpu.max``, ``memory.max``) and ``cgroup-v1``
    (``cpu.cfs_quota_us``, ``cpu.cfs_period_us``, ``memory.limit_in_bytes``).

    :param root: where ``proc`` and ``sys`` lie.
    """
    cores: list[float] = []
    memory: list[int] = []
    for folder in _own_groups(root):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            cores.append(int(quota) / int(period))
        with suppress(OSError, ValueError):
            quota_us = int((folder / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                cores.append(quota_us / int((folder / "cpu.cfs_period_us").read_text()))
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                memory.append(int((folder / name).read_text()))
    limited = [value for value in memory if value < _UNLIMITED_BYTES]
    return Limits(min(cores, default=None), min(limited, default=None))


def _own_groups(root: Path) -> Iterator[Path]:
    """Yield the folders that may limit this process, from its own group to each hierarchy's top.

    A container often sees its own group as the top, while the path names it as the host does;
    folders that do not exist are read past by the caller.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, group = line.split(":", 2)
        tops = [mount / name for name in controllers.split(",")] if controllers else [mount]
        for top in tops:
            folder = top / group.strip("/")
            yield folder
            yield from (parent for parent in folder.parents if parent.is_relative_to(top))
