from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.openvino import BACKEND, OpenVinoEngine
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.errors import UnavailableError
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.system.host import has_bf16_units


def _build(package: ModelPackage, cache: EngineCache) -> OpenVinoEngine:
    return BACKEND.build(package, package.card.inference.window, Precision.FP32, Device.CPU, cache)


def _run(engine: OpenVinoEngine) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(1, 4, *engine.info.shape)).astype(np.float32)
    return engine(x, np.ones((1, 4), dtype=np.float32)).copy()


def test_the_second_build_comes_from_the_cache_and_computes_the_same(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    first, second = _build(tiny_package, engine_cache), _build(tiny_package, engine_cache)
    assert (first.info.cache_hit, second.info.cache_hit) == (False, True)
    assert first.info.cache_key == second.info.cache_key
    np.testing.assert_array_equal(_run(first), _run(second))


def test_a_damaged_entry_is_built_again(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    expected = _run(_build(tiny_package, engine_cache))
    (entry,) = engine_cache.folder.iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 0xFF
    entry.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged cache entry"):
        engine = _build(tiny_package, engine_cache)
    assert engine.info.cache_hit is False
    np.testing.assert_array_equal(_run(engine), expected)
    assert _build(tiny_package, engine_cache).info.cache_hit is True


def test_fp32_is_fp32_even_where_the_runtime_would_choose_less(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    assert set(_build(tiny_package, engine_cache).info.actual_precision) == {"fp32"}


def test_another_shape_than_the_export_is_refused(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    with pytest.raises(UnavailableError, match="run brainsegaccel export"):
        BACKEND.build(tiny_package, (64, 64, 64), Precision.FP32, Device.CPU, engine_cache)


SIGNALLED = """
import gc, os, signal, sys
from pathlib import Path
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.openvino import BACKEND
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.models.package import load_package

package, cache = load_package(Path(sys.argv[1])), EngineCache(Path(sys.argv[2]))
window = package.card.inference.window
build = lambda: BACKEND.build(package, window, Precision.FP32, Device.CPU, cache)
first, second = build(), build()
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal stacks there")
def test_signals_are_survived_after_engines_are_gone(tiny_card: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", SIGNALLED, tiny_card, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_int8_leaves_the_rest_to_bf16_where_there_are_units(
    quantised_package: ModelPackage, engine_cache: EngineCache
) -> None:
    shape = quantised_package.card.inference.window
    engine = BACKEND.build(quantised_package, shape, Precision.INT8, Device.CPU, engine_cache)
    rest = "bf16" if has_bf16_units() else "fp32"
    assert set(engine.info.actual_precision) == {"int8", rest}
