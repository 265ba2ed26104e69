from __future__ import annotations

from collections.abc import Callable

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.metrics.latency import (
    Samples,
    check_iterations,
    measure,
    measure_interleaved,
)


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
    assert (samples.percentile(50), samples.percentile(95)) == (10.5, 19.05)


def test_nineteen_iterations_are_too_few_for_percentiles() -> None:
    with pytest.raises(InputError, match=r"19 timed iterations are too few.*at least 20"):
        check_iterations(19)
    check_iterations(20)


def test_the_default_clock_tells_time() -> None:
    assert measure(lambda: sum(range(1000)), 1, warmup=0).milliseconds[0] > 0
