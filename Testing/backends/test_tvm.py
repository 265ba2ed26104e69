"""TVM's own schedules agree with PyTorch at every size, and decide the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from BrainSegAccelLib.backends import tvm as backend
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.models.package import ModelPackage, load_package
from BrainSegAccelLib.system.host import usable_cores

tvm = pytest.importorskip("tvm", reason="Apache TVM comes with the tvm extra")
from BrainSegAccelLib.backends.tvm_schedules.pipeline import scheduled  # noqa: E402
from BrainSegAccelLib.backends.tvm_schedules.products import Tile, register_tile  # noqa: E402
from tvm import relax  # noqa: E402

THREADS = """
import os, sys, time
import numpy as np
from pathlib import Path
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.tvm import BACKEND
from BrainSegAccelLib.models.package import load_package
package, cache = load_package(Path(sys.argv[1])), EngineCache(Path(sys.argv[2]))
allowed = os.sched_getaffinity(0)
engine = BACKEND.build(package, package.card.inference.window, Precision.FP32, Device.CPU, cache)
engine(np.zeros((1, 4, *package.card.inference.window), np.float32), np.ones((1, 4), np.float32))
import tvm
before = time.process_time()
time.sleep(0.3)
idle = time.process_time() - before < 0.05
threads = tvm.get_global_func("runtime.NumThreads")()
print(engine.info.cache_hit, allowed == os.sched_getaffinity(0), idle, threads)
"""


def compiled(operator: Callable[..., object], first: np.ndarray, *constants: np.ndarray):
    """Return one operator as the backend compiles it, as a function of ``first``."""
    backend.share_cores()
    builder = relax.BlockBuilder()
    given = relax.Var("first", relax.TensorType(first.shape, "float32"))
    with builder.function("main", [given]):
        with builder.dataflow():
            result = builder.emit_output(operator(given, *map(relax.const, constants)))
        builder.emit_func_output(result)
    target = tvm.target.Target(backend.llvm_target())
    executable = tvm.compile(scheduled(builder.get(), target), target=target)
    run = relax.VirtualMachine(executable, tvm.cpu())["main"]
    return lambda x: run(tvm.runtime.tensor(x)).numpy()


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "size", "outputs", "kernel", "stride", "pad"),
    [
        (24, (4, 6, 80), 24, 3, 1, 1),  # Whole tiles of rows, panels that are not full.
        (5, (6, 10, 34), 24, 2, 2, 0),  # The stem.
        (3, (5, 7, 23), 70, 3, 1, 1),  # Rows and columns beyond the last tile.
        (8, (6, 4, 26), 48, 3, 2, 1),
        (17, (2, 3, 1), 8, 1, 1, 0),  # One voxel in a row, fewer channels than one vector.
    ],
)
def test_convolutions_agree_with_pytorch(
    channels: int, size: tuple[int, ...], outputs: int, kernel: int, stride: int, pad: int
) -> None:
    x, weights = values(1, channels, *size), values(outputs, channels, *(kernel,) * 3)
    run = compiled(lambda x, w: relax.op.nn.conv3d(x, w, strides=stride, padding=pad), x, weights)
    expected = torch.nn.functional.conv3d(
        torch.from_numpy(x), torch.from_numpy(weights), stride=stride, padding=pad
    )
    np.testing.assert_allclose(run(x), expected.numpy(), atol=2e-4)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 240, 96), (96, 134)),
        ((1, 4), (4, 24)),
        ((1, 6, 5, 80), (80, 80)),
        ((1, 1, 5, 33, 16), (1, 6, 5, 16, 19)),
        ((2, 1, 7, 11), (1, 3, 11, 40)),
    ],
)
def test_products_agree_with_numpy(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = values(*left), values(*right)
    np.testing.assert_allclose(compiled(relax.op.matmul, a, b)(a), a @ b, atol=1e-4)


def test_instance_norm_is_exact_far_from_zero() -> None:
    """The mean of squares minus the square of the mean would lose all digits here."""
    x, scale, shift = values(1, 3, 4, 6, 21) + 1000.0, values(3), values(3)

    def norm(x: object, scale: object, shift: object) -> object:
        return relax.op.nn.instance_norm(x, scale, shift, channel_axis=1, axes=[0, 2, 3, 4])

    exact = [torch.from_numpy(each).double() for each in (x, scale, shift)]
    expected = torch.nn.functional.instance_norm(exact[0], None, None, *exact[1:])
    np.testing.assert_allclose(compiled(norm, x, scale, shift)(x), expected.numpy(), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "fast"])
def test_shipped_models_agree_with_eager_at_other_shapes(
    name: str, session_cache: EngineCache
) -> None:
    """Logits are compared: on noise all probabilities are near zero."""
    package, shape = load_package(name), (48, 32, 80)
    x, availability = values(1, 4, *shape), np.ones((1, 4), np.float32)
    found, expected = (
        backends()[each].build(package, shape, Precision.FP32, Device.CPU, session_cache)(
            x, availability
        )
        for each in ("tvm", "eager")
    )
    logits = [np.log(p) - np.log1p(-p) for p in (found, expected)]
    assert logits[1].std() > 0.5
    np.testing.assert_allclose(*logits, atol=5e-3)


def test_tiles_fill_the_registers_of_the_processor() -> None:
    newer, older = (
        tvm.target.Target({"kind": "llvm", "mcpu": name}) for name in ("skylake-avx512", "haswell")
    )
    assert register_tile(newer) == Tile(rows=10, columns=32)
    assert register_tile(older) == Tile(rows=6, columns=16)


@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        (("AVX2", "FMA", "F16C", "AVX-512F"), []),
        (("AVX2", "FMA", "F16C"), ["-avx512f"]),
        ((), ["-avx512f", "-avx2", "-fma", "-f16c"]),
        (None, []),
    ],
)
def test_vector_units_that_a_virtual_machine_hides_are_not_used(
    told: tuple[str, ...] | None, hidden: list[str]
) -> None:
    """LLVM goes by the name of the processor, and code for hidden units ends the process."""
    target = backend.target_without_hidden("znver4", told)
    assert target["mattr"] == hidden
    wide = told is None or "AVX-512F" in told
    assert register_tile(tvm.target.Target(target)).rows == (10 if wide else 6)


def test_nothing_is_hidden_from_a_processor_without_such_units() -> None:
    assert backend.target_without_hidden("haswell", ("AVX2", "FMA", "F16C"))["mattr"] == []


def test_an_engine_of_other_schedules_is_not_taken(
    tiny_package: ModelPackage, session_cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> bool:
        engine = backend.BACKEND.build(
            tiny_package,
            tiny_package.card.inference.window,
            Precision.FP32,
            Device.CPU,
            session_cache,
        )
        return engine.info.cache_hit

    build()
    assert build()
    monkeypatch.setattr(backend, "source_digest", lambda: "another")
    monkeypatch.setattr(backend, "_compile", lambda *_: pytest.fail("compiled again"))
    with pytest.raises(pytest.fail.Exception, match="compiled again"):
        build()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_it_uses_all_cores_pins_no_thread_and_soon_leaves_them(
    tiny_card: Path, tiny_package: ModelPackage, session_cache: EngineCache
) -> None:
    shape = tiny_package.card.inference.window
    backend.BACKEND.build(tiny_package, shape, Precision.FP32, Device.CPU, session_cache)
    set_by_us = ("TVM_NUM_THREADS", "TVM_BIND_THREADS", "TVM_THREAD_POOL_SPIN_COUNT")
    unset = {k: v for k, v in os.environ.items() if k not in (*set_by_us, "OMP_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", THREADS, str(tiny_card), str(session_cache.folder.parent)],
        env={**unset, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == ["True", "True", "True", str(usable_cores())]
