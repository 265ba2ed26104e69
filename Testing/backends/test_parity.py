"""Every backend that runs here agrees with PyTorch eager in FP32."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.network.package import ModelPackage

TOLERANCE = {Precision.FP32: 1e-4, Precision.BF16: 0.15}
"""Largest difference of a probability. BF16 keeps 8 bits, so a logit of 4 is off by up to 1/64
after one rounding; over the depth of a random network errors grow to a few times that."""


@pytest.mark.parametrize("precision", list(TOLERANCE))
@pytest.mark.parametrize("name", sorted(backends()))
@pytest.mark.parametrize("available", [(1, 1, 1, 1), (0, 1, 0, 1), (0, 0, 1, 0)])
def test_probabilities_agree_with_eager(
    name: str,
    precision: Precision,
    available: tuple[int, ...],
    tiny_package: ModelPackage,
    engine_cache: EngineCache,
) -> None:
    answer = backends()[name].availability(Device.CPU, precision)
    if not answer.ok:
        assert answer.reason
        assert answer.remedy
        pytest.skip(f"{name} {precision}: {answer.reason}")
    shape = tiny_package.card.shape
    x = np.random.default_rng(1).normal(size=(1, 4, *shape)).astype(np.float32)
    availability = np.array([available], dtype=np.float32)
    x *= availability[:, :, None, None, None]
    reference = backends()["eager"].build(
        tiny_package, shape, Precision.FP32, Device.CPU, engine_cache
    )
    engine = backends()[name].build(tiny_package, shape, precision, Device.CPU, engine_cache)
    expected, found = reference(x, availability), engine(x, availability)
    assert found.shape == (3, *shape)
    assert found.dtype == np.float32
    assert expected.std() > 0.05, "the test model must say something"
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[precision])
    assert engine.info.precision is precision
    if engine.info.actual_precision:
        assert max(engine.info.actual_precision, key=engine.info.actual_precision.get) == precision


@pytest.mark.parametrize("name", sorted(backends()))
@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("precision", list(Precision))
def test_a_refusal_has_a_reason_and_a_remedy(
    name: str, device: Device, precision: Precision
) -> None:
    answer = backends()[name].availability(device, precision)
    assert answer.ok or (answer.reason and answer.remedy)
