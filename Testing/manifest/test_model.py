from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from BrainSegAccelLib.backends.protocol import Precision
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.manifest.model import (
    InputProtocol,
    Latency,
    LatencySummary,
    Manifest,
    QualityRetention,
    ReferenceRun,
    Timing,
)
from BrainSegAccelLib.metrics.latency import Samples
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

TIMES = {"p50_ms": 10.0, "p95_ms": 12.0, "min_ms": 9.0, "max_ms": 13.0, "mean_ms": 10.5}
ZERO = {"ET": 0.0, "TC": 0.0, "WT": 0.0}


def timing(**changes: Any) -> Timing:
    return Timing(**{"includes": "x", "warmup": 3, "iterations": 20, **TIMES, **changes})


def test_timing_of_twenty_iterations() -> None:
    assert timing().p95_ms == 12.0


def test_the_percentiles_of_timed_iterations_are_told() -> None:
    found = Timing.of(Samples(3, tuple(float(n) for n in range(1, 21))), "one call")
    assert (found.p50_ms, found.p95_ms) == (10.5, 19.05)
    assert (found.min_ms, found.max_ms, found.mean_ms) == (1.0, 20.0, 10.5)
    assert (found.iterations, found.warmup, found.includes) == (20, 3, "one call")


@given(st.lists(st.floats(1e-4, 1e6), min_size=20, max_size=60))
def test_any_times_give_a_valid_timing(times: list[float]) -> None:
    found = Timing.of(Samples(0, tuple(times)), "one call")
    assert found.p95_ms == pytest.approx(np.percentile(times, 95), abs=1e-3)


def test_nineteen_timed_iterations_give_no_percentiles() -> None:
    with pytest.raises(InputError, match="too few"):
        Timing.of(Samples(3, (1.0,) * 19), "one call")


def test_fewer_than_twenty_iterations_are_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 20"):
        timing(iterations=19)


@pytest.mark.parametrize(
    "changes",
    [{"p50_ms": 12.5}, {"min_ms": 10.5}, {"max_ms": 11.0}, {"mean_ms": 8.0}, {"p95_ms": -1.0}],
)
def test_times_that_contradict_each_other_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        timing(**changes)


def test_percentiles_are_all_there_or_all_null() -> None:
    with pytest.raises(ValidationError, match="together or not at all"):
        timing(p95_ms=None, reason="lost")


def test_not_measured_is_null_with_its_reason() -> None:
    absent = Timing.not_measured("x", "not asked for").model_dump()
    assert absent.pop("includes") == "x"
    assert absent.pop("reason") == "not asked for"
    assert set(absent.values()) == {None}


def test_total_is_the_sum_of_the_stages() -> None:
    summary = dict(LatencySummary.not_measured("not asked for"))
    Latency(stages_ms={"a": 1.5, "b": 2.5}, total_ms=4.0, total_includes="all", **summary)
    with pytest.raises(ValidationError, match="stages sum to 4"):
        Latency(stages_ms={"a": 1.5, "b": 2.5}, total_ms=3.0, total_includes="all", **summary)


def test_quality_is_compared_with_fp32_only() -> None:
    deltas = dict.fromkeys(("delta_dice", "delta_hd95_mm", "agreement_dice"), ZERO)
    run = {"backend": "eager", "version": "2"}
    fp32 = ReferenceRun(precision=Precision.FP32, **run)
    assert QualityRetention(reference=fp32, truth="ground truth", **deltas).reference == fp32
    fp16 = ReferenceRun(precision=Precision.FP16, **run)
    with pytest.raises(ValidationError, match="must be fp32"):
        QualityRetention(reference=fp16, truth="ground truth", **deltas)


def test_a_delta_needs_its_reference() -> None:
    with pytest.raises(ValidationError, match="together or not at all"):
        QualityRetention(
            reference=None,
            truth=None,
            delta_dice=ZERO,
            delta_hd95_mm=None,
            agreement_dice=None,
            reason="no reference",
        )


@pytest.mark.parametrize(
    "changes",
    [{"missing": ("t1", "t2")}, {"missing": ()}, {"windows": 2}, {"passes": "sliding window"}],
)
def test_the_input_protocol_is_consistent(changes: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "shape": (1, 4, 16, 16, 16),
        "dtype": "float32",
        "spacing_mm": (1, 1, 1),
        "available": ("t1c", "t1"),
        "missing": ("t2", "flair"),
        "passes": "whole brain",
        "windows": 1,
        "overlap": 0.25,
    }
    InputProtocol(**good)
    with pytest.raises(ValidationError):
        InputProtocol(**{**good, **changes})


def test_top_keys_are_the_contract() -> None:
    assert list(Manifest.model_fields) == [
        "schema_version",
        "created_utc",
        "software",
        "model",
        "requested",
        "hardware",
        "runtime",
        "precision",
        "input_protocol",
        "latency",
        "quality_retention",
        "inputs",
        "preprocessing",
        "outputs",
        "warnings",
    ]


def test_time_of_creation_is_utc(manifest: Manifest) -> None:
    elsewhere = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    document = manifest.model_dump(mode="json") | {"created_utc": elsewhere.isoformat()}
    moved = Manifest.model_validate(document)
    assert moved.created_utc == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moved.model_dump(mode="json")["created_utc"] == "2026-01-02T03:04:05Z"
    with pytest.raises(ValidationError, match="timezone"):
        Manifest.model_validate(document | {"created_utc": "2026-01-02T03:04:05"})


def test_a_manifest_cannot_be_changed(manifest: Manifest) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        manifest.latency.total_ms = 1.0  # type: ignore[misc]
