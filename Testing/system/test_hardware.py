from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest
from BrainSegAccelLib.system.hardware import (
    cpu_from_proc,
    cpu_from_sysctl,
    gpus_from_smi,
    installed_versions,
    probe_environment,
    probe_hardware,
)

XEON = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu sse4_2 fma f16c avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_int8
processor\t: 1
model name\t: another
"""
GRAVITON = """processor\t: 0
Features\t: fp asimd asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
"""
APPLE = """machdep.cpu.brand_string: Apple M2
machdep.cpu.core_count: 8
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.neon: 1
"""
MAC_INTEL = """machdep.cpu.brand_string: Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz
machdep.cpu.features: FPU VME SSE4.2 FMA F16C AVX1.0
machdep.cpu.leaf7_features: BMI1 AVX2 BMI2
"""


@pytest.mark.parametrize(
    ("text", "model", "sets"),
    [
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8480+",
            "AVX2, FMA, F16C, AVX-512F, AVX-512 VNNI, AVX-512 BF16, AMX BF16, AMX INT8",
        ),
        (GRAVITON, None, "NEON, NEON dot product, NEON FP16, Arm BF16, Arm INT8 matrix, SVE"),
        ("model name : plain\nflags : sse\n", "plain", ""),
    ],
)
def test_linux_cpu(text: str, model: str | None, sets: str) -> None:
    found, instruction_sets = cpu_from_proc(text)
    assert found == model
    assert ", ".join(instruction_sets or ()) == sets


def test_linux_cpu_without_flags_is_unknown_not_empty() -> None:
    assert cpu_from_proc("processor : 0\n") == (None, None)


@pytest.mark.parametrize(
    ("text", "model", "sets"),
    [
        (APPLE, "Apple M2", "NEON, Arm BF16, Arm INT8 matrix"),
        (MAC_INTEL, "Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz", "AVX2, FMA, F16C"),
    ],
)
def test_macos_cpu(text: str, model: str, sets: str) -> None:
    found, instruction_sets = cpu_from_sysctl(text)
    assert (found, ", ".join(instruction_sets or ())) == (model, sets)


def test_macos_that_does_not_answer() -> None:
    assert cpu_from_sysctl("") == (None, None)


def test_gpus_of_nvidia_smi() -> None:
    first, second = gpus_from_smi(
        "NVIDIA H200, 143771, 9.0, 570.86.15\nNVIDIA GB10, [N/A], 12.1, 580.95.05\n"
    )
    assert first.name == "NVIDIA H200"
    assert first.memory_bytes == 143771 * 1024 * 1024
    assert (first.compute_capability, first.driver) == ("9.0", "570.86.15")
    assert first.reason is None
    assert second.memory_bytes is None
    assert second.reason


def test_this_machine() -> None:
    started = time.perf_counter()
    hardware = probe_hardware.__wrapped__()
    elapsed = time.perf_counter() - started
    assert 0 < hardware.cpu.usable_cores <= (psutil.cpu_count() or 1)
    assert 0 < hardware.memory.usable_bytes <= hardware.memory.total_bytes
    assert hardware.memory.total_bytes == psutil.virtual_memory().total
    assert elapsed < 0.1 or hardware.gpus


def test_installed_versions_lists_only_what_is_there() -> None:
    import numpy

    assert installed_versions(["numpy", "no-such-distribution"]) == {"numpy": numpy.__version__}


def test_this_environment() -> None:
    environment = probe_environment()
    assert environment.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert "numpy" in environment.libraries


def test_probing_imports_no_runtime() -> None:
    code = (
        "import sys;from BrainSegAccelLib.manifest import build;"
        "from BrainSegAccelLib.system import hardware;"
        "hardware.probe_hardware(); hardware.probe_environment();"
        "print([m for m in ('torch', 'openvino', 'onnxruntime', 'SimpleITK', 'matplotlib', "
        "'jsonschema') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
