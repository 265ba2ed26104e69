from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from BrainSegAccelLib.benchmark.protocol import (
    Samples,
    check_iterations,
    measure,
    measure_interleaved,
)
from BrainSegAccelLib.errors import InputError
from hypothesis import given
from hypothesis import strategies as st


class FakeClock:
    """A clock that only work moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_warm_up_is_not_timed() -> None:
    clock = FakeClock()
    durations = iter([9.0, 8.0, 0.001, 0.002, 0.003])
    samples = measure(lambda: clock.work(next(durations)), 3, warmup=2, clock=clock)
    assert samples.milliseconds == pytest.approx((1.0, 2.0, 3.0))
    assert samples.warmup == 2


def test_candidates_take_turns() -> None:
    clock, order = FakeClock(), []

    def candidate(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            clock.work(seconds)

        return run

    found = measure_interleaved(
        {"a": candidate("a", 0.002), "b": candidate("b", 0.005)}, 2, warmup=1, clock=clock
    )
    assert order == ["a", "b"] * 3
    assert found["a"].milliseconds == pytest.approx((2.0, 2.0))
    assert found["b"].milliseconds == pytest.approx((5.0, 5.0))


@pytest.mark.parametrize(("iterations", "warmup"), [(0, 3), (-1, 0), (20, -1)])
def test_impossible_counts_are_refused(iterations: int, warmup: int) -> None:
    with pytest.raises(InputError, match="ask for at least 1"):
        measure(lambda: None, iterations, warmup=warmup)


def test_percentiles_interpolate_linearly() -> None:
    samples = Samples(3, tuple(float(n) for n in range(1, 21)))
    timing = samples.timing("one call")
    assert timing.p50_ms == 10.5
    assert timing.p95_ms == 19.05
    assert (timing.min_ms, timing.max_ms, timing.mean_ms) == (1.0, 20.0, 10.5)
    assert (timing.iterations, timing.warmup, timing.includes) == (20, 3, "one call")


def test_nineteen_iterations_give_no_percentiles() -> None:
    with pytest.raises(InputError, match=r"19 timed iterations are too few.*at least 20"):
        Samples(3, (1.0,) * 19).timing("one call")
    with pytest.raises(InputError):
        check_iterations(19)
    check_iterations(20)


@given(st.lists(st.floats(1e-4, 1e6), min_size=20, max_size=60))
def test_any_times_give_a_valid_timing(times: list[float]) -> None:
    timing = Samples(0, tuple(times)).timing("one call")
    assert timing.p95_ms == pytest.approx(np.percentile(times, 95), abs=1e-3)


def test_the_default_clock_tells_time() -> None:
    assert measure(lambda: sum(range(1000)), 1, warmup=0).milliseconds[0] > 0
