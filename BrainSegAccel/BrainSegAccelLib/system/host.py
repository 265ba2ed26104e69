"""What a process of ours asks about the machine that it runs on."""

from __future__ import annotations

import os
import shutil
import sys

from .hardware import installed_versions, probe_cpu

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


def has_bf16_units() -> bool:
    """Whether this CPU computes in BF16 rather than emulating it."""
    return not BF16_UNITS.isdisjoint(probe_cpu().instruction_sets or ())


def has_compiler() -> bool:
    """Whether there is a C++ compiler: the one that ``CXX`` names, else any on the path."""
    chosen = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((chosen,) if chosen else COMPILERS))


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, without importing it; None if it is not there."""
    return installed_versions([distribution]).get(distribution)
