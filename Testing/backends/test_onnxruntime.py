from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.onnxruntime import BACKEND, PROVIDERS
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.models.package import ModelPackage


@pytest.mark.parametrize("device", [d for d in PROVIDERS if d is not Device.CPU])
def test_a_provider_is_there_or_the_build_that_has_it_is_named(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, _ = PROVIDERS[device]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    answer = BACKEND.availability(device, Precision.FP32)
    assert not answer.ok
    assert provider in answer.reason
    assert "onnx" in answer.remedy.lower()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider])
    assert BACKEND.availability(device, Precision.FP32).ok


def test_a_provider_that_does_not_start_is_an_error(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    """ONNX Runtime itself goes on with the processor where a provider is missing."""
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(RunError, match="DmlExecutionProvider does not start"),
    ):
        BACKEND.build(
            tiny_package,
            tiny_package.card.inference.window,
            Precision.FP32,
            Device.DIRECTML,
            engine_cache,
        )


def test_the_provider_is_told(tiny_package: ModelPackage, engine_cache: EngineCache) -> None:
    shape = tiny_package.card.inference.window
    engine = BACKEND.build(tiny_package, shape, Precision.FP32, Device.CPU, engine_cache)
    assert engine.info.settings["provider"] == "CPUExecutionProvider"
    x = np.zeros((1, 4, *shape), np.float32)
    assert engine(x, np.ones((1, 4), np.float32)).shape == (3, *shape)
