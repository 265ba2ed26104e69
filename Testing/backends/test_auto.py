from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends import auto
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
from BrainSegAccelLib.models.package import ModelPackage


class Timed:
    """A backend that takes a known number of additions, or fails to build."""

    def __init__(
        self,
        name: str,
        work: int,
        *,
        ok: bool = True,
        breaks: bool = False,
        build_seconds: float = 1.0,
        finds: float = 0.0,
        fidelity: int = 0,
    ) -> None:
        """:param finds: logit that is added to what the network says in all but FP32."""
        self.name, self.work, self.ok, self.breaks = name, work, ok, breaks
        self.build_seconds, self.finds, self.fidelity = build_seconds, finds, fidelity
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
        work, more = self.work, 0.0 if precision is Precision.FP32 else self.finds

        class _Engine:
            info = EngineInfo("t", "1", device, "cpu", precision, shape, 0.0)

            def __call__(self, x: np.ndarray, availability: np.ndarray) -> np.ndarray:
                for _ in range(work):
                    np.sort(x.ravel())
                return x[0, :3] + more

        return _Engine()


def _cases() -> list[tuple[np.ndarray, np.ndarray]]:
    x = np.random.default_rng(0).normal(size=(1, 4, 16, 16, 16)).astype(np.float32)
    return [(x, np.ones((1, 4), np.float32))]


def _named(*all_backends: Timed) -> Mapping[str, Backend]:
    return {b.name: b for b in all_backends}


def test_only_what_runs_here_is_measured(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    here, not_here = Timed("here", 1), Timed("not-here", 0, ok=False)
    runnable = candidates_here(_named(here, not_here), (Device.CPU,), [Precision.FP32])
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.backend == "here"
    assert not_here.built == 0


def test_the_fastest_wins_and_a_broken_one_only_loses(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    slow, fast, broken = Timed("slow", 20), Timed("fast", 0), Timed("broken", 0, breaks=True)
    runnable = candidates_here(_named(slow, broken, fast), (Device.CPU,), [Precision.FP32])
    told: list[str] = []
    choice = choose(runnable, tiny_package, engine_cache, _cases, told.append)
    assert choice.chosen.backend == "fast"
    failed = next(c for c in choice.candidates if c.backend == "broken")
    assert failed.p50_ms is None
    assert failed.failure == "driver crashed"
    assert len(told) == 3


def test_a_new_runtime_is_a_reason_to_measure_again(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    one, two = Timed("one", 1), Timed("two", 1)
    for expected, available in ((1, [one]), (1, [one]), (2, [one, two])):
        runnable = candidates_here(_named(*available), (Device.CPU,), [Precision.FP32])
        choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
        assert one.built == expected


def test_nothing_that_runs_is_an_error_with_all_reasons(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    runnable = candidates_here(_named(Timed("b", 0, breaks=True)), (Device.CPU,), [Precision.FP32])
    with pytest.raises(RunError, match="b fp32: driver crashed"):
        choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_choice_that_cannot_be_remembered_is_used_all_the_same(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "choices").symlink_to("/proc/self")
    runnable = candidates_here(_named(Timed("only", 0)), (Device.CPU,), [Precision.FP32])
    cache = EngineCache(tmp_path)
    choice = choose(runnable, tiny_package, cache, _cases, lambda _: None)
    assert choice.chosen.backend == "only"


BOTH = [Precision.FP32, Precision.FP16]


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.TF32])
@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_the_fastest_is_taken_only_if_it_keeps_the_quality(
    shift: float, precision: Precision, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    """The one that shifts every logit marks more voxels than the FP32 reference does."""
    exact, rounded = Timed("exact", 10, fidelity=1), Timed("rounded", 0, finds=shift)
    runnable = candidates_here(_named(exact), (Device.CPU,), [Precision.FP32])
    runnable += candidates_here(_named(rounded), (Device.CPU,), [precision])
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.precision is (Precision.FP32 if shift else precision)
    found = {c.precision: c for c in choice.candidates}
    assert found[Precision.FP32].delta_dice == 0.0
    loss = found[precision].delta_dice
    assert loss is not None
    assert (loss > 0.005) == bool(found[precision].failure) == (shift > 0)
    again = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert (again.remembered, again.chosen) == (True, choice.chosen)


def test_what_takes_long_to_build_is_listed_and_not_measured(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    quick, slow = Timed("quick", 1), Timed("slow", 0, build_seconds=1e6)
    runnable = candidates_here(_named(slow, quick), (Device.CPU,), BOTH)
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.backend == "quick"
    assert slow.built == 0
    assert {c.failure for c in choice.candidates if c.backend == "slow"} == {
        "not measured: takes about 1000000 s to build"
    }


def test_a_slow_build_that_failed_is_not_tried_again_in_other_precisions(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    quick, slow = Timed("quick", 1), Timed("slow", 0, breaks=True, build_seconds=10.0)
    runnable = candidates_here(_named(slow, quick), (Device.CPU,), BOTH)
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.backend == "quick"
    assert slow.built == 1
    assert [c.failure for c in choice.candidates if c.backend == "slow"] == [
        "driver crashed",
        "not measured: failed with fp32",
    ]


def test_what_is_built_quickly_is_measured_on_the_slowest_machine(
    tiny_package: ModelPackage, engine_cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "BUDGET_SECONDS", {Device.CPU: 0.0})
    slow, fast = Timed("slow", 20), Timed("fast", 0, build_seconds=2.0)
    runnable = candidates_here(_named(slow, fast), (Device.CPU,), [Precision.FP32])
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.backend == "fast"


def test_without_a_reference_no_loss_is_told(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    runnable = candidates_here(_named(Timed("only", 0)), (Device.CPU,), [Precision.FP16])
    choice = choose(runnable, tiny_package, engine_cache, _cases, lambda _: None)
    assert choice.chosen.delta_dice is None
