"""Benchmark and verification of one case, for the manifest of a run on it."""

from __future__ import annotations

from collections.abc import Callable

from ..backends.choice import EngineChoice
from ..backends.protocol import Device, Precision
from ..backends.registry import references
from ..errors import UnavailableError
from ..inference.result import RunResult
from ..inference.sliding_window import sliding_window_inference
from ..manifest.model import (
    MODEL_ONLY_INCLUDES,
    LatencySummary,
    QualityRetention,
    ReferenceRun,
    Timing,
)
from ..manifest.retention import quality_retention
from ..metrics.latency import measure
from ..models.package import load_package
from ..preprocessing.network_input import NetworkInput
from .progress import Progress
from .runner import PipelineFactory, Runner


def time_case(
    pipeline: Runner,
    network_input: NetworkInput,
    iterations: int,
    end_to_end: Callable[[], object],
    includes: str,
    progress: Progress,
) -> LatencySummary:
    """Time the warm engine alone, then the whole way.

    :param network_input: what the network is timed on.
    :param iterations: timed ones, of either.
    :param end_to_end: does the whole way once.
    :param includes: what that covers, for the manifest.
    """
    engine = pipeline.warm()
    done = 0

    def ticking(run: Callable[[], object]) -> Callable[[], None]:
        def once() -> None:
            nonlocal done
            run()
            done += 1
            progress.advance(min(1.0, done / iterations))

        return once

    progress.begin(f"benchmark: model only, {iterations} iterations")
    card = pipeline.package.card

    def model_only() -> object:
        return sliding_window_inference(
            engine,
            network_input.x,
            network_input.availability,
            card.inference,
            card.outputs,
        )

    model = measure(ticking(model_only), iterations)
    done = 0
    progress.begin(f"benchmark: end to end, {iterations} iterations")
    whole = measure(ticking(end_to_end), iterations)
    return LatencySummary(
        model_only=Timing.of(model, MODEL_ONLY_INCLUDES), end_to_end=Timing.of(whole, includes)
    )


def reference_pipeline(make_pipeline: PipelineFactory, model: str) -> Runner:
    """Return the FP32 pipeline on the CPU that a run is verified with.

    :raises UnavailableError: no backend that others are compared with runs here.
    """
    known = references(load_package(model).card)
    for backend in known:
        if backend.availability(Device.CPU, Precision.FP32).ok:
            engine = EngineChoice(backend=backend.name, precision=Precision.FP32, device=Device.CPU)
            return make_pipeline(model, engine)
    raise UnavailableError(
        f"verifying needs one of {', '.join(backend.name for backend in known)}",
        remedy="pip install 'brainsegaccel[torch]'",
    )


def compare(result: RunResult, expected: RunResult) -> QualityRetention:
    """Compare a run with one of the reference on the same study."""
    return quality_retention(
        result.segmentation,
        expected.segmentation,
        ReferenceRun.of(expected.engine),
    )
