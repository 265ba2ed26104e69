"""Peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil


def peak_memory_bytes() -> int:
    """Return the largest resident set that this process has had, in bytes.

    Linux: ``VmHWM``, which unlike ``ru_maxrss`` does not start from the size of the process that
    launched this one. macOS: ``ru_maxrss``, in bytes there. Windows: the peak working set.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        peak_kib = status.split("VmHWM:", 1)[1].split(maxsplit=1)[0]
        return int(peak_kib) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
