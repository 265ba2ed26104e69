"""Where large arrays get their memory: kept between volumes, not asked for anew each time."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Parameters of mallopt(3), from glibc's malloc.h."""
_KEPT_BYTES = 1 << 30


def keep_freed_memory() -> None:
    """Have this process keep up to 1 GiB that it has freed, where its C library is glibc.

    Else glibc gives every large block back to the system, and its pages are cleared and mapped
    again, one by one, for the next one: nearly half of the time of PyTorch's eager mode on a
    whole brain. One arena, since only the first can grow to the size of a volume. Call it before
    other threads start, and only in a process of one's own.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
