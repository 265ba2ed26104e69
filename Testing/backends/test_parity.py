"""Every backend that runs here agrees with PyTorch eager in FP32."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.errors import UnavailableError
from BrainSegAccelLib.models.package import ModelPackage
from roundoff import assert_close_to_fp32

PRECISIONS = (Precision.FP32, Precision.BF16)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", sorted(backends()))
@pytest.mark.parametrize("available", [(1, 1, 1, 1), (0, 1, 0, 1), (0, 0, 1, 0)])
def test_probabilities_agree_with_eager(
    name: str,
    precision: Precision,
    available: tuple[int, ...],
    tiny_package: ModelPackage,
    session_cache: EngineCache,
) -> None:
    answer = backends()[name].availability(Device.CPU, precision)
    if not answer.ok:
        assert answer.reason
        assert answer.remedy
        pytest.skip(f"{name} {precision}: {answer.reason}")
    shape = tiny_package.card.inference.window
    x = np.random.default_rng(1).normal(size=(1, 4, *shape)).astype(np.float32)
    availability = np.array([available], dtype=np.float32)
    x *= availability[:, :, None, None, None]
    reference = backends()["eager"].build(
        tiny_package, shape, Precision.FP32, Device.CPU, session_cache
    )
    engine = backends()[name].build(tiny_package, shape, precision, Device.CPU, session_cache)
    expected, found = reference(x, availability), engine(x, availability)
    assert found.shape == (3, *shape)
    assert found.dtype == np.float32
    assert expected.std() > 0.05, "the test model must say something"
    assert_close_to_fp32(found, expected, precision)
    assert engine.info.precision is precision
    if engine.info.actual_precision:
        assert max(engine.info.actual_precision, key=engine.info.actual_precision.get) == precision


def test_int8_is_int8_near_fp32_and_what_the_export_says(
    quantised_package: ModelPackage, session_cache: EngineCache
) -> None:
    """On a random network single voxels flip, so the mean error is what tells.

    ONNX Runtime computes the export as it is written, rounding and then computing in FP32.
    """
    shape = quantised_package.card.inference.window
    x = np.random.default_rng(1).normal(size=(1, 4, *shape)).astype(np.float32)
    availability = np.ones((1, 4), dtype=np.float32)
    session = onnxruntime.InferenceSession(
        quantised_package.quantised().whole(), providers=["CPUExecutionProvider"]
    )
    written = session.run(None, {"x": x, "availability": availability})[0][0]
    exact = backends()["eager"].build(
        quantised_package, shape, Precision.FP32, Device.CPU, session_cache
    )(x, availability)
    record = quantised_package.card.quantised
    assert record is not None
    able = [b for b in backends().values() if b.availability(Device.CPU, Precision.INT8).ok]
    assert able
    for backend in able:
        engine = backend.build(quantised_package, shape, Precision.INT8, Device.CPU, session_cache)
        found = engine(x, availability)
        assert engine.info.actual_precision["int8"] == record.layers
        assert 1e-4 < np.abs(found - exact).mean() < 0.03
        assert np.abs(found - written).mean() < 0.01


@pytest.mark.parametrize("name", sorted(backends()))
def test_int8_without_a_quantised_export_is_refused(
    name: str, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    if not backends()[name].availability(Device.CPU, Precision.INT8).ok:
        pytest.skip(f"{name} has no INT8 here")
    with pytest.raises(UnavailableError, match="export --int8"):
        backends()[name].build(
            tiny_package,
            tiny_package.card.inference.window,
            Precision.INT8,
            Device.CPU,
            engine_cache,
        )


@pytest.mark.parametrize("name", sorted(backends()))
@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("precision", list(Precision))
def test_a_refusal_has_a_reason_and_a_remedy(
    name: str, device: Device, precision: Precision
) -> None:
    answer = backends()[name].availability(device, precision)
    assert answer.ok or (answer.reason and answer.remedy)


@pytest.mark.parametrize("name", sorted(backends()))
def test_no_processor_has_tf32(name: str) -> None:
    answer = backends()[name].availability(Device.CPU, Precision.TF32)
    assert not answer.ok
    assert answer.reason
    assert answer.remedy
