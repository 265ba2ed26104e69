"""A volume of any shape from an engine of one: windows, their weights, and mirrored passes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from BrainSegAccelLib.backends.protocol import Device, EngineInfo, Precision, Shape
from BrainSegAccelLib.inference.sliding_window import (
    count_windows,
    importance_map,
    sliding_window_inference,
    window_starts,
)
from BrainSegAccelLib.models.description import ImportanceMap, Inference, Outputs
from BrainSegAccelLib.models.tasks import TUMOUR
from hypothesis import given
from hypothesis import strategies as st

WINDOW = (8, 8, 8)
KINDS = get_args(ImportanceMap)
ALL = np.ones((1, 4), dtype=np.float32)


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

    def __call__(self, x: np.ndarray, availability: np.ndarray | None = None) -> np.ndarray:
        assert x.shape == (1, 4, *self.info.shape)
        assert x.flags.c_contiguous
        assert availability is not None
        self.calls += 1
        return (x[0, :3] + x[0, 3]) * availability[0, :3, None, None, None]


class Leaning(PositionWise):
    """An engine that adds what grows along every axis of its window, and reuses its result."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._slopes = np.indices(shape).astype(np.float32)
        self._result = np.empty((3, *shape), dtype=np.float32)

    def __call__(self, x: np.ndarray, availability: np.ndarray | None = None) -> np.ndarray:
        self._result[:] = super().__call__(x, availability) + self._slopes
        return self._result


@given(st.integers(1, 400), st.integers(1, 200), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_windows_cover_the_axis_and_stay_inside(length: int, window: int, overlap: float) -> None:
    length = max(length, window)
    starts = window_starts(length, window, overlap)
    assert starts[0] == 0
    assert starts[-1] == length - window
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= max(int(window * (1 - overlap)), 1)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 8, 8), (8, 13, 8), (9, 20, 31)])
def test_windows_put_together_give_the_whole(shape: Shape, kind: ImportanceMap) -> None:
    engine = PositionWise(WINDOW)
    inference = Inference(window=WINDOW, importance_map=kind)
    x = np.random.default_rng(0).normal(size=(1, 4, *shape)).astype(np.float32)
    availability = np.array([[1, 0, 1, 1]], dtype=np.float32)
    done: list[float] = []
    result = sliding_window_inference(
        engine, x, availability, inference, TUMOUR.outputs, done.append
    )
    expected = (x[0, :3] + x[0, 3]) * availability[0, :3, None, None, None]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert engine.calls == count_windows(shape, inference)
    assert done == sorted(done)


def test_more_overlap_takes_more_windows() -> None:
    counts = [
        count_windows((8, 8, 40), Inference(window=WINDOW, overlap=overlap))
        for overlap in (0.0, 0.5, 0.75)
    ]
    assert counts == [5, 9, 17]


@pytest.mark.parametrize("kind", KINDS)
def test_the_centre_of_a_window_counts_at_least_as_much_as_its_border(kind: ImportanceMap) -> None:
    weights = importance_map((4, 5, 6), kind)
    assert weights.shape == (4, 5, 6)
    assert (weights > 0).all()
    assert weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1, ::-1, ::-1])
    for axis in range(3):
        inwards = np.diff(
            weights[tuple(slice(None, (n + 1) // 2) for n in weights.shape)], axis=axis
        )
        assert (inwards >= 0).all()
        assert (inwards > 0).all() or kind == "constant"


def test_a_gaussian_falls_off_within_an_eighth_of_the_window() -> None:
    line = importance_map((1, 1, 81), "gaussian")[0, 0]
    assert line[40] == 1
    np.testing.assert_allclose(line[40 + 81 // 8], np.exp(-0.5 * (10 / 10.125) ** 2), rtol=1e-6)


def _softmax_outputs() -> Outputs:
    scheme = TUMOUR.outputs.scheme
    labels = [label.identifier for label in scheme.labels]
    return Outputs(
        activation="softmax",
        channels=(labels[0], "background", labels[1], labels[2]),
        scheme=scheme,
    )


@pytest.mark.parametrize(
    ("outputs", "expected"), [(TUMOUR.outputs, [0, 0, 0]), (_softmax_outputs(), [0, 1, 0, 0])]
)
def test_empty_windows_are_not_run_and_are_background(
    outputs: Outputs, expected: list[float]
) -> None:
    class Ones(PositionWise):
        def __call__(self, x: np.ndarray, availability: np.ndarray | None = None) -> np.ndarray:
            super().__call__(x, availability)
            return np.ones((len(outputs.channels), *self.info.shape), np.float32)

    engine = Ones(WINDOW)
    x = np.zeros((1, 4, 8, 8, 40), dtype=np.float32)
    x[..., :4] = 1.0
    found = sliding_window_inference(engine, x, ALL, Inference(window=WINDOW), outputs)
    assert engine.calls == 1
    assert found[:, 0, 0, -1].tolist() == expected


@pytest.mark.parametrize("axes", [(0,), (2, 0), (0, 1, 2)])
@pytest.mark.parametrize("shape", [WINDOW, (8, 8, 20)])
def test_mirrored_passes_cancel_what_leans_to_one_side(shape: Shape, axes: tuple[int, ...]) -> None:
    engine = Leaning(WINDOW)
    inference = Inference(window=WINDOW, overlap=0.0, mirrored_axes=axes)
    x = np.random.default_rng(0).normal(size=(1, 4, *shape)).astype(np.float32)
    result = sliding_window_inference(engine, x, ALL, inference, TUMOUR.outputs)
    assert engine.calls == 2 ** len(axes) * count_windows(shape, inference)
    added = result - (x[0, :3] + x[0, 3])
    for axis in axes:
        np.testing.assert_allclose(added[axis], 3.5, atol=1e-5)
    for axis in set(range(3)) - set(axes):
        assert np.ptp(added[axis]) > 5
