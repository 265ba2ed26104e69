from __future__ import annotations

import numpy as np
import psutil
from BrainSegAccelLib.system.memory import peak_memory_bytes


def test_peak_memory_keeps_what_was_freed() -> None:
    resident = psutil.Process().memory_info().rss
    block = np.ones(64 << 20, dtype=np.uint8)
    del block
    assert peak_memory_bytes() >= resident + (60 << 20)


def test_peak_memory_is_in_bytes() -> None:
    assert peak_memory_bytes() < psutil.virtual_memory().total
