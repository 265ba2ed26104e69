"""What the backends ask about this machine."""

from __future__ import annotations

import os
import shutil
import sys

from ..system.hardware import installed_versions, probe_cpu
from .protocol import Availability

BF16_UNITS = frozenset({"AVX-512 BF16", "AMX BF16", "Arm BF16"})
"""Instruction sets that compute in BF16; without one it is emulated, and slower than FP32."""

COMPILERS = ("g++", "clang++", "c++", "cl")


def child_environment(**changes: str) -> dict[str, str]:
    """Environment in which a process of this Python imports what this one does.

    :param changes: variables that differ, or that are added.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, **changes}


def cpu_name() -> str:
    """Model name of the CPU, or the architecture where the system does not tell."""
    cpu = probe_cpu()
    return cpu.model or cpu.architecture


def usable_cores() -> int:
    """Physical cores that this process may use: affinity and container quota count."""
    cpu = probe_cpu()
    allowed = max(1, int(cpu.usable_cores))
    return min(allowed, cpu.physical_cores or allowed)


def no_bf16_units() -> Availability | None:
    """Return why BF16 does not pay on this CPU; None if it has units for it."""
    if BF16_UNITS.intersection(probe_cpu().instruction_sets or ()):
        return None
    return Availability.no("this CPU has no BF16 units", "use --precision fp32")


def no_compiler() -> Availability | None:
    """Return that no C++ compiler is on the path, nor named by ``CXX``; None if one is."""
    chosen = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ((chosen,) if chosen else COMPILERS)):
        return Availability.no(
            "there is no C++ compiler",
            "install one (on Debian and Ubuntu: the package g++) or use another backend",
        )
    return None


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it; None if it is not there."""
    return installed_versions([distribution]).get(distribution)
