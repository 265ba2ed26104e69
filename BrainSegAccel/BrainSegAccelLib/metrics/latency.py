"""How a latency is measured here: warm-up, at least twenty timed iterations, interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from ..errors import InputError
from ..records import MIN_ITERATIONS

WARMUP = 3
"""Untimed iterations: they fault pages in, fill caches and let the runtime choose its kernels."""


Name = TypeVar("Name", bound=Hashable)


class Clock(Protocol):
    """Tells the time in seconds from any start, never backwards."""

    def __call__(self) -> float:
        """Return the time now."""
        ...


@dataclass(frozen=True)
class Samples:
    """Timed iterations of one thing, in the order in which they ran.

    :param warmup: untimed iterations that ran before.
    :param milliseconds: wall time of each iteration, at least one.
    """

    warmup: int
    milliseconds: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Return a percentile in ms, linear between order statistics (numpy's default)."""
        return float(np.percentile(self.milliseconds, percent))


def check_iterations(iterations: int) -> None:
    """Refuse a benchmark that is too short for percentiles, before it runs.

    :raises InputError: fewer than `MIN_ITERATIONS` iterations.
    """
    if iterations < MIN_ITERATIONS:
        raise InputError(
            f"{iterations} timed iterations are too few for percentiles",
            where="benchmark",
            remedy=f"ask for at least {MIN_ITERATIONS}",
        )


def measure(
    run: Callable[[], object],
    iterations: int,
    *,
    warmup: int = WARMUP,
    clock: Clock = time.perf_counter,
) -> Samples:
    """Time one callable.

    :param run: returns when the work is done; work queued on a device must be waited for.
    :raises InputError: iterations < 1 or warmup < 0.
    """
    return measure_interleaved({"": run}, iterations, warmup=warmup, clock=clock)[""]


def measure_interleaved(
    candidates: Mapping[Name, Callable[[], object]],
    iterations: int,
    *,
    warmup: int = WARMUP,
    clock: Clock = time.perf_counter,
) -> dict[Name, Samples]:
    """Time several callables in turn, A B C A B C …, so that drift of the machine favours none.

    Each is warmed up in the same order first.

    :returns: samples by the candidate's name, ``iterations`` each.
    :raises InputError: iterations < 1 or warmup < 0.
    """
    if iterations < 1 or warmup < 0:
        raise InputError(
            f"{iterations} timed and {warmup} untimed iterations",
            where="benchmark",
            remedy="ask for at least 1 timed and no fewer than 0 untimed iterations",
        )
    times: dict[Name, list[float]] = {name: [] for name in candidates}
    for iteration in range(-warmup, iterations):
        for name, run in candidates.items():
            started = clock()
            run()
            elapsed = clock() - started
            if iteration >= 0:
                times[name].append(elapsed * 1000.0)
    return {name: Samples(warmup, tuple(values)) for name, values in times.items()}
