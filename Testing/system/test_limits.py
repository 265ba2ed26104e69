from __future__ import annotations

from pathlib import Path

import pytest
from BrainSegAccelLib.system.limits import Limits, read_limits


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({}, Limits(None, None)),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/memory.max": "4294967296\n",
            },
            Limits(1.5, 4 << 30),
        ),
        (
            {
                "proc/self/cgroup": "0::/user/job\n",
                "sys/fs/cgroup/user/job/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/user/job/memory.max": "max\n",
                "sys/fs/cgroup/user/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/user/memory.max": "1073741824\n",
            },
            Limits(2.0, 1 << 30),
        ),
        (
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
            Limits(None, None),
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/docker/1\n2:memory:/docker/1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
            },
            Limits(0.5, 2 << 30),
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n2:memory:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            Limits(None, None),
        ),
    ],
    ids=["none", "v2 at the top", "v2 parent is tighter", "v2 unlimited", "v1", "v1 unlimited"],
)
def test_limits(tmp_path: Path, files: dict[str, str], limits: Limits) -> None:
    assert read_limits(tree(tmp_path, files)) == limits
