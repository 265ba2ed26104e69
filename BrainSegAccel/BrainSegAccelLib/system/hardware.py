"""Ask the machine what it is, quickly and without importing any network runtime."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from itertools import takewhile
from pathlib import Path

import psutil

from .limits import Limits, read_limits
from .machine import Cpu, Environment, Gpu, Hardware, Memory

INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX-512F",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_fp16": "AVX-512 FP16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "amx_fp16": "AMX FP16",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "asimdhp": "NEON FP16",
    "bf16": "Arm BF16",
    "i8mm": "Arm INT8 matrix",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
}
"""Extensions that bear on convolution and matrix speed: Linux ``/proc/cpuinfo`` flag → name."""

_MACOS_FLAGS = {
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "AVX512F": "avx512f",
    "AVX512VNNI": "avx512_vnni",
    "hw.optional.neon": "asimd",
    "hw.optional.AdvSIMD": "asimd",
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_FP16": "asimdhp",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_SME": "sme",
}

LIBRARIES = (
    "numpy",
    "SimpleITK",
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "nncf",
    "torch",
    "torch-tensorrt",
    "tensorrt",
    "apache-tvm",
    "slicer-core",
)
"""Distributions whose version bears on speed or result."""

_SMI_FIELDS = ("name", "memory.total", "compute_cap", "driver_version")
_MIB = 1 << 20


@cache
def probe_hardware() -> Hardware:
    """Describe this machine. Asked once per process; milliseconds where there is no GPU."""
    limits = read_limits()
    total = psutil.virtual_memory().total
    gpus, reason = _probe_gpus()
    return Hardware(
        cpu=probe_cpu(),
        memory=Memory(total_bytes=total, usable_bytes=min(total, limits.memory_bytes or total)),
        gpus=gpus,
        reason=reason,
    )


@cache
def probe_cpu() -> Cpu:
    """Describe the processor and how much of it this process may use. Asked once per process."""
    model, instruction_sets = _cpu_model()
    values = {
        "model": model or platform.processor() or None,
        "physical_cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(logical=True),
        "instruction_sets": instruction_sets,
    }
    unknown = [name.replace("_", " ") for name, value in values.items() if value is None]
    return Cpu(
        architecture=platform.machine(),
        usable_cores=_usable_cores(read_limits()),
        **values,
        reason=f"{platform.system()} does not tell: {', '.join(unknown)}" if unknown else None,
    )


@cache
def probe_environment() -> Environment:
    """Describe operating system, Python and libraries; imports none of them."""
    return Environment(
        operating_system=_operating_system(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        libraries=installed_versions(LIBRARIES),
    )


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution that is installed, without importing."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu_from_proc(cpuinfo: str) -> tuple[str | None, tuple[str, ...] | None]:
    """Read model name and instruction sets from the text of Linux ``/proc/cpuinfo``.

    x86 lists ``model name`` and ``flags``; Arm lists ``Features`` and often no model.
    """
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features"))
    return fields.get("model name"), None if flags is None else _named(flags.split())


def cpu_from_sysctl(listing: str) -> tuple[str | None, tuple[str, ...] | None]:
    """Read model name and instruction sets from ``sysctl machdep.cpu hw.optional`` of macOS."""
    fields = dict(line.split(": ", 1) for line in listing.splitlines() if ": " in line)
    if not fields:
        return None, None
    listed = " ".join(value for key, value in fields.items() if key.endswith("features"))
    optional = {key for key, value in fields.items() if value == "1"}
    flags = (_MACOS_FLAGS.get(token, "") for token in {*listed.split(), *optional})
    return fields.get("machdep.cpu.brand_string"), _named(flags)


def gpus_from_smi(table: str) -> tuple[Gpu, ...]:
    """Read the GPUs from nvidia-smi's CSV without header and units, fields ``_SMI_FIELDS``.

    nvidia-smi writes ``[N/A]`` or ``[Not Supported]`` where it cannot tell.
    """
    gpus = []
    for line in filter(None, map(str.strip, table.splitlines())):
        name, *rest = (field.strip() for field in line.split(","))
        memory, capability, driver = (None if value.startswith("[") else value for value in rest)
        unknown = None in (memory, capability, driver)
        gpus.append(
            Gpu(
                name=name,
                memory_bytes=None if memory is None else int(memory) * _MIB,
                compute_capability=capability,
                driver=driver,
                reason="nvidia-smi does not tell it for this GPU" if unknown else None,
            )
        )
    return tuple(gpus)


def _named(flags: Iterable[str]) -> tuple[str, ...]:
    present = set(flags)
    return tuple(name for flag, name in INSTRUCTION_SETS.items() if flag in present)


def _cpu_model() -> tuple[str | None, tuple[str, ...] | None]:
    if sys.platform == "linux":
        # The first block is enough: on a large server the whole file takes a noticeable time.
        with Path("/proc/cpuinfo").open() as blocks:
            return cpu_from_proc("".join(takewhile(str.strip, blocks)))
    if sys.platform == "darwin":
        areas = ("machdep.cpu", "hw.optional")
        return cpu_from_sysctl("".join(_output("sysctl", area) or "" for area in areas))
    if sys.platform == "win32":
        import winreg

        key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as processor:
            return str(winreg.QueryValueEx(processor, "ProcessorNameString")[0]).strip(), None
    return None, None


def _usable_cores(limits: Limits) -> float:
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return min(float(allowed), limits.cores or float(allowed))


def _probe_gpus() -> tuple[tuple[Gpu, ...] | None, str | None]:
    if shutil.which("nvidia-smi") is None:
        return None, "gpus: nvidia-smi is not installed, so no NVIDIA driver can be asked"
    query = f"--query-gpu={','.join(_SMI_FIELDS)}"
    table = _output("nvidia-smi", query, "--format=csv,noheader,nounits")
    if table is None:
        return None, "gpus: nvidia-smi failed, so the driver may not match or see no GPU"
    return gpus_from_smi(table), None


def _output(*command: str) -> str | None:
    """Standard output of a short system command; None if it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _operating_system() -> str:
    if sys.platform == "linux":
        try:
            name = platform.freedesktop_os_release()["PRETTY_NAME"]
        except (OSError, KeyError):
            name = "Linux"
        return f"{name}, kernel {platform.release()}"
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()} {platform.version()}"
