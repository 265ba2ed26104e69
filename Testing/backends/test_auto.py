from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.auto import candidates_here, choose
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import (
    Availability,
    Backend,
    Device,
    Engine,
    EngineInfo,
    Precision,
    Shape,
)
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.network.package import ModelPackage


class Timed:
    """A backend that takes a known number of additions, or fails to build."""

    def __init__(self, name: str, work: int, *, ok: bool = True, breaks: bool = False) -> None:
        self.name, self.work, self.ok, self.breaks = name, work, ok, breaks
        self.built = 0

    def version(self) -> str:
        return "1"

    def availability(self, device: Device, precision: Precision) -> Availability:
        return Availability.yes() if self.ok else Availability.no("missing", "install it")

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> Engine:
        self.built += 1
        if self.breaks:
            raise RuntimeError("driver\ncrashed")
        work = self.work

        class _Engine:
            info = EngineInfo("t", "1", device, "cpu", precision, shape, 0.0)

            def __call__(self, x: np.ndarray, availability: np.ndarray) -> np.ndarray:
                for _ in range(work):
                    np.sort(x.ravel())
                return x[0, :3]

        return _Engine()


def _named(*all_backends: Timed) -> Mapping[str, Backend]:
    return {b.name: b for b in all_backends}


def test_only_what_runs_here_is_measured(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    here, not_here = Timed("here", 1), Timed("not-here", 0, ok=False)
    runnable = candidates_here(_named(here, not_here), (Device.CPU,), Precision.FP32)
    choice = choose(runnable, Precision.FP32, tiny_package, engine_cache, lambda _: None)
    assert choice.chosen.backend == "here"
    assert not_here.built == 0


def test_the_fastest_wins_and_a_broken_one_only_loses(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    slow, fast, broken = Timed("slow", 20), Timed("fast", 0), Timed("broken", 0, breaks=True)
    runnable = candidates_here(_named(slow, broken, fast), (Device.CPU,), Precision.FP32)
    told: list[str] = []
    choice = choose(runnable, Precision.FP32, tiny_package, engine_cache, told.append)
    assert choice.chosen.backend == "fast"
    failed = next(c for c in choice.candidates if c.backend == "broken")
    assert failed.milliseconds is None
    assert failed.failure == "driver crashed"
    assert len(told) == 3


def test_a_new_runtime_is_a_reason_to_measure_again(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    one, two = Timed("one", 1), Timed("two", 1)
    for expected, available in ((1, [one]), (1, [one]), (2, [one, two])):
        runnable = candidates_here(_named(*available), (Device.CPU,), Precision.FP32)
        choose(runnable, Precision.FP32, tiny_package, engine_cache, lambda _: None)
        assert one.built == expected


def test_nothing_that_runs_is_an_error_with_all_reasons(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    runnable = candidates_here(_named(Timed("b", 0, breaks=True)), (Device.CPU,), Precision.FP32)
    with pytest.raises(RunError, match="b: driver crashed"):
        choose(runnable, Precision.FP32, tiny_package, engine_cache, lambda _: None)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_choice_that_cannot_be_remembered_is_used_all_the_same(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "choices").symlink_to("/proc/self")
    runnable = candidates_here(_named(Timed("only", 0)), (Device.CPU,), Precision.FP32)
    cache = EngineCache(tmp_path)
    choice = choose(runnable, Precision.FP32, tiny_package, cache, lambda _: None)
    assert choice.chosen.backend == "only"
