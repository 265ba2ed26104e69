"""The main job: volumes in, a segmentation and the record of the run out.

Whoever has something segmented (command line, batch, background worker, Slicer) says where volumes
come from and where the result goes; what lies between is here.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from ..inference.result import RunResult
from ..manifest.build import build_manifest, identify_model
from ..manifest.model import LatencySummary, Manifest, QualityRetention, Scope
from ..system.hardware import probe_environment, probe_hardware
from ..system.machine import Environment, Hardware
from ..system.memory import peak_memory_bytes
from .checks import compare, reference_pipeline, time_case
from .given import Given, Inputs, Output, Written
from .options import RunOptions
from .progress import StageClock
from .runner import PipelineFactory, Runner
from .told import in_words, noted


def execute(
    inputs: Inputs,
    options: RunOptions,
    output: Output,
    *,
    make_pipeline: PipelineFactory,
    clock: StageClock,
) -> tuple[RunResult, Manifest]:
    """Check everything, read, run, time and verify as asked, and hand the result over.

    :param clock: may already hold the start of the process.
    :raises InputError: unusable options or input; nothing was run or written.
    :raises BrainSegAccelError: the run failed; nothing was written.
    """
    with noted() as told:
        with clock.stage("check"):
            inputs.check()
            pipeline = make_pipeline(options.model, options.engine)
            options.refinement.resolve(pipeline.package.card.outputs)  # Refuses unknown regions.
            reference = reference_pipeline(make_pipeline, options.model) if options.verify else None
            opened = output.check(pipeline.package.card, options)
        given = _read_while_warming(inputs, options, pipeline, clock)
        result = pipeline.run(given.study, given.options, clock)
        with opened as written:
            written.write(result.segmentation, clock)
            measured = _measure(inputs, given, pipeline, reference, result, written, clock)
            with clock.stage("record"):
                hardware, environment = _machine()
                model, choice = identify_model(pipeline.package.card), pipeline.choice
                scope = Scope.HEAD if given.options.roi is None else Scope.REGION
                record = written.record(result.segmentation, result.refinement, scope)
                del pipeline, reference  # Letting go of an engine takes time, too.
            result = replace(result, stages_ms=clock.stages_ms)
            manifest = build_manifest(
                result,
                model=model,
                inputs=given.records,
                output=record,
                asked=options.engine,
                requested=given.options.model_dump(mode="json"),
                warnings=tuple(in_words(given, result.segmentation.scheme, told)),
                choice=choice,
                benchmark=measured.benchmark,
                quality=measured.quality,
                peak_memory_bytes=measured.peak_memory_bytes,
                hardware=hardware,
                environment=environment,
            )
            written.finish(manifest)
    return result, manifest


def _read_while_warming(
    inputs: Inputs, options: RunOptions, pipeline: Runner, clock: StageClock
) -> Given:
    """Read the volumes; if it is known what to warm, the engine is built at the same time.

    The time that both took together is that of reading and, for what is left of it, the engine.
    The engine is built on this thread, on which it will run: some runtimes ask for that.
    """
    if not (inputs.from_disk and pipeline.settled):
        with clock.stage("read"):
            return inputs.read(options)
    clock.progress.begin("read")
    started = time.perf_counter()
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(lambda: (inputs.read(options), time.perf_counter()))
        pipeline.warm()
        given, done = reading.result()
    clock.add("read", done - started)
    clock.add("engine", time.perf_counter() - done)
    return given


@dataclass(frozen=True)
class _Measured:
    """What a run was measured by, each None where it was not asked for.

    :param peak_memory_bytes: of the run itself.
    """

    peak_memory_bytes: int
    benchmark: LatencySummary | None
    quality: QualityRetention | None


def _measure(
    inputs: Inputs,
    given: Given,
    pipeline: Runner,
    reference: Runner | None,
    result: RunResult,
    written: Written,
    clock: StageClock,
) -> _Measured:
    """Time and verify the run as asked; none of it counts as a stage."""
    peak = peak_memory_bytes()
    options, benchmark, quality = given.options, None, None

    def again() -> None:
        repeated = pipeline.run(inputs.study(), options)
        written.write(repeated.segmentation, StageClock())

    if options.iterations is not None:
        benchmark = time_case(
            pipeline,
            result.network_input,
            options.iterations,
            again,
            inputs.end_to_end,
            clock.progress,
        )
    if reference is not None:
        clock.progress.begin("verify: FP32 reference run")
        quality = compare(result, reference.run(given.study, options))
    return _Measured(peak, benchmark, quality)


@cache
def _machine() -> tuple[Hardware, Environment]:
    return probe_hardware(), probe_environment()
