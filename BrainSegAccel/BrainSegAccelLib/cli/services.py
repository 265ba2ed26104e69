"""What the commands work with, so that another can be handed in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..runs.runner import PipelineFactory, local_pipeline


def seconds_since_start() -> float:
    """Return how long ago this process was started, to about 10 ms."""
    if sys.platform == "linux":
        # The 20th field after the command's name, in ticks since boot (proc(5)). psutil adds the
        # boot time, which Linux tells in whole seconds.
        import os

        with open("/proc/self/stat") as stat:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
        started = ticks / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    import psutil

    return max(0.0, time.time() - psutil.Process().create_time())


@dataclass(frozen=True)
class Services:
    """What commands work with.

    :param make_pipeline: makes the pipeline of a request.
    :param since_start: seconds since the process began, for the first stage of a run; None where
        the process did other things before.
    """

    make_pipeline: PipelineFactory = local_pipeline
    since_start: Callable[[], float] | None = seconds_since_start
