"""What can be held to TensorRT's backend without its library and a GPU."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import tomllib
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends import tensorrt
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Availability, Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.backends.tensorrt import BACKEND, INT8_NEEDS, SETTINGS, timing_cache
from BrainSegAccelLib.models.package import ModelPackage
from roundoff import assert_close_to_fp32

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source() -> Path:
    """Folder of the installed torch_tensorrt, which cannot be imported without TensorRT."""
    found = importlib.util.find_spec("torch_tensorrt")
    if found is None or not found.submodule_search_locations:
        pytest.skip("torch-tensorrt is not installed (pip install --no-deps torch-tensorrt)")
    return Path(found.submodule_search_locations[0])


def _parameters(file: Path, function: str) -> set[str]:
    """Return the parameters of a function of a source file."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
    raise AssertionError(f"{file.name} has no function {function}")


def test_the_api_has_every_argument_that_is_given(source: Path) -> None:
    given = {*SETTINGS, "exported_program", "arg_inputs", "timing_cache_path"}
    assert given <= _parameters(source / "dynamo" / "_compiler.py", "compile")
    assert {"module", "file_path", "arg_inputs"} <= _parameters(source / "_compile.py", "save")
    assert "file_path" in _parameters(source / "_compile.py", "load")
    used = inspect.getsource(tensorrt)
    assert "torch_tensorrt.dynamo.compile(" in used
    assert "torch_tensorrt.save(" in used


def test_precisions_are_explicit_so_the_old_flags_are_not_given() -> None:
    assert not {"enabled_precisions", "use_explicit_typing"} & set(SETTINGS)


def test_without_the_distribution_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BACKEND, "version", lambda: None)
    answer = BACKEND.availability(Device.CUDA, Precision.FP16)
    assert "brainsegaccel[tensorrt]" in answer.remedy


@pytest.mark.parametrize(
    ("device", "precision", "reason"),
    [
        (Device.CPU, Precision.FP16, "does not run on cpu"),
        (Device.CPU, Precision.INT8, "does not run on cpu"),
    ],
)
def test_what_it_never_runs_is_refused(
    device: Device, precision: Precision, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BACKEND, "version", lambda: "2.13.0")
    assert reason in BACKEND.availability(device, precision).reason


def test_a_gpu_without_the_library_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BACKEND, "version", lambda: "2.13.0")
    monkeypatch.setattr(tensorrt, "installed_version", lambda name: name == "torch-tensorrt-rtx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answers: list[Availability | None] = [None, Availability.no("no driver", "get one")]
    for found in answers:
        monkeypatch.setattr(tensorrt, "no_cuda", lambda found=found: found)
        answer = BACKEND.availability(Device.CUDA, Precision.FP16)
        assert not answer.ok
        assert ("no driver" if found else "tensorrt_rtx") in answer.reason


@pytest.mark.parametrize(
    ("installed", "precision", "reason", "remedy"),
    [
        ({"torch-tensorrt", "onnx"}, Precision.INT8, "nvidia-modelopt", "brainsegaccel[tensorrt]"),
        (
            {"torch-tensorrt-rtx", "nvidia-modelopt", "onnx"},
            Precision.INT8,
            "TensorRT for RTX",
            "torch-tensorrt in place",
        ),
        ({"torch-tensorrt", "nvidia-modelopt", "onnx"}, Precision.INT8, "", ""),
        ({"torch-tensorrt"}, Precision.FP16, "", ""),
    ],
)
def test_int8_needs_more_than_the_other_precisions(
    installed: set[str],
    precision: Precision,
    reason: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BACKEND, "version", lambda: "2.13.0")
    monkeypatch.setattr(tensorrt, "installed_version", lambda name: name in installed)
    monkeypatch.setattr(tensorrt, "no_cuda", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    answer = BACKEND.availability(Device.CUDA, precision)
    assert answer.ok is not bool(reason)
    assert reason in answer.reason
    assert remedy in answer.remedy


def test_the_extra_brings_what_int8_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"]["tensorrt"]
    assert all(any(one.startswith(name) for one in asked) for name in INT8_NEEDS)


def test_the_timing_cache_is_one_of_the_gpu_and_the_version(engine_cache: EngineCache) -> None:
    names = {timing_cache(engine_cache, *each) for each in [("A", "1"), ("B", "1"), ("A", "2")]}
    assert len(names) == 3
    assert {path.parent for path in names} == {engine_cache.folder.parent / "timing"}


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8])
def test_an_engine_agrees_with_eager(
    precision: Precision, request: pytest.FixtureRequest, engine_cache: EngineCache
) -> None:
    answer = BACKEND.availability(Device.CUDA, precision)
    if not answer.ok:
        pytest.skip(f"{answer.reason}: {answer.remedy}")
    package: ModelPackage = request.getfixturevalue("quantised_package")
    shape = package.card.inference.window
    x = np.random.default_rng(1).normal(size=(1, 4, *shape)).astype(np.float32)
    there = np.ones((1, 4), np.float32)
    eager = backends()["eager"]
    expected = eager.build(package, shape, Precision.FP32, Device.CUDA, engine_cache)(x, there)
    for hit in (False, True):
        engine = BACKEND.build(package, shape, precision, Device.CUDA, engine_cache)
        assert engine.info.cache_hit is hit
        assert engine.info.actual_precision[precision] > 0
        assert_close_to_fp32(engine(x, there), expected, precision)
