from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.inductor import BACKEND
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.models.package import ModelPackage

AGAIN = """
import json, sys
import numpy as np
from pathlib import Path
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.inductor import BACKEND
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.models.package import load_package
package, cache = load_package(Path(sys.argv[1])), EngineCache(Path(sys.argv[2]))
engine = BACKEND.build(package, package.card.inference.window, Precision.FP32, Device.CPU, cache)
x = np.load(sys.argv[3])
found = engine(x, np.ones((1, 4), np.float32))
print(json.dumps({"hit": engine.info.cache_hit, "sum": float(found.astype(np.float64).sum())}))
"""


def test_a_second_process_loads_what_the_first_compiled(
    tiny_card: Path, tiny_package: ModelPackage, session_cache: EngineCache, tmp_path: Path
) -> None:
    answer = BACKEND.availability(Device.CPU, Precision.FP32)
    if not answer.ok:
        pytest.skip(answer.reason)
    shape = tiny_package.card.inference.window
    engine = BACKEND.build(tiny_package, shape, Precision.FP32, Device.CPU, session_cache)
    assert set(engine.info.actual_precision) == {"fp32"}
    x = np.random.default_rng(1).normal(size=(1, 4, *shape)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    expected = engine(x, np.ones((1, 4), np.float32)).astype(np.float64).sum()
    # No compiler on the path: whatever would compile would fail.
    arguments = [str(tiny_card), str(session_cache.folder.parent), str(tmp_path / "x.npy")]
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, *arguments],
        env={"PATH": "", "CXX": "none", "PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["hit"] is True
    assert found["sum"] == pytest.approx(expected, rel=1e-6)


def test_a_compilation_that_fails_does_so_in_a_process_of_its_own(
    tiny_package: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BACKEND.availability(Device.CPU, Precision.FP32).ok:
        pytest.skip("no compiler here")
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    shape = tiny_package.card.inference.window
    with pytest.raises(RunError, match="inductor fp32: compiling failed"):
        BACKEND.build(tiny_package, shape, Precision.FP32, Device.CPU, EngineCache(tmp_path))


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    answer = BACKEND.availability(Device.CPU, Precision.FP32)
    assert "C++ compiler" in answer.reason
    assert "g++" in answer.remedy


def test_without_python_headers_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert "Python.h" in BACKEND.availability(Device.CPU, Precision.FP32).reason
