from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.backends.protocol import Device, EngineInfo, Precision, Shape
from BrainSegAccelLib.inference.sliding_window import count_windows, infer, window_starts
from hypothesis import given
from hypothesis import strategies as st


class PositionWise:
    """An engine whose output at a voxel depends on the input at that voxel alone."""

    def __init__(self, shape: Shape) -> None:
        self.calls = 0
        self.info = EngineInfo(
            backend="position-wise",
            version="0",
            device=Device.CPU,
            device_name="test",
            precision=Precision.FP32,
            shape=shape,
            build_seconds=0.0,
        )

    def __call__(self, x: np.ndarray, availability: np.ndarray) -> np.ndarray:
        assert x.shape == (1, 4, *self.info.shape)
        assert x.flags.c_contiguous
        self.calls += 1
        return (x[0, :3] + x[0, 3]) * availability[0, :3, None, None, None]


@given(st.integers(1, 400), st.integers(1, 200))
def test_windows_cover_the_axis_and_stay_inside(length: int, window: int) -> None:
    length = max(length, window)
    starts = window_starts(length, window)
    assert starts[0] == 0
    assert starts[-1] == length - window
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= max(int(window * 0.75), 1)).all()


@pytest.mark.parametrize("shape", [(8, 8, 8), (8, 13, 8), (9, 20, 31)])
def test_windows_put_together_give_the_whole(shape: Shape) -> None:
    engine = PositionWise((8, 8, 8))
    x = np.random.default_rng(0).normal(size=(1, 4, *shape)).astype(np.float32)
    availability = np.array([[1, 0, 1, 1]], dtype=np.float32)
    done: list[float] = []
    result = infer(engine, x, availability, done.append)
    expected = (x[0, :3] + x[0, 3]) * availability[0, :3, None, None, None]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert engine.calls == count_windows(shape, (8, 8, 8))
    assert done == sorted(done)


def test_empty_windows_are_not_run() -> None:
    engine = PositionWise((8, 8, 8))
    x = np.zeros((1, 4, 8, 8, 40), dtype=np.float32)
    x[..., :4] = 1.0
    infer(engine, x, np.ones((1, 4), dtype=np.float32), lambda _: None)
    assert engine.calls == 1
