"""What the worker does with a request, on pipelines that stay warm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache

from ..benchmark.protocol import check_iterations
from ..manifest.build import build_manifest, identify_model, record_inputs, record_output
from ..manifest.model import Manifest, Scope
from ..runs.checks import compare, reference_pipeline, time_case
from ..runs.progress import StageClock
from ..runs.result import RunResult
from ..runs.runner import PipelineFactory, Runner, local_pipeline
from ..study.study import Study
from ..system.hardware import probe_environment, probe_hardware
from ..system.memory import peak_memory_bytes
from .requests import Options, Segment

WARM_PIPELINES = 2
"""The one in use, and the one before it or the FP32 reference; an engine holds gigabytes."""

IN_MEMORY_INCLUDES = (
    "volumes in memory to labels in memory, in a warm process with the engine loaded; "
    "no process start, no engine build, no transfer between processes"
)


class Session:
    """The pipelines that this process has, and what they do.

    :param make_pipeline: makes the pipeline of a request.
    """

    def __init__(self, make_pipeline: PipelineFactory = local_pipeline) -> None:
        self._make_pipeline = lru_cache(maxsize=WARM_PIPELINES)(make_pipeline)
        self._machine = cache(lambda: (probe_hardware(), probe_environment()))

    def segment(self, request: Segment, clock: StageClock) -> tuple[RunResult, Manifest]:
        """Segment a study, and time and verify it as asked.

        :raises BrainSegAccelError: unusable volumes or options, or a run that failed.
        """
        options = request.options
        with clock.stage("check"):
            if request.iterations is not None:
                check_iterations(request.iterations)
            study = Study(request.volumes)
            pipeline = self.pipeline(options)
            reference = (
                reference_pipeline(self._make_pipeline, options.model) if request.verify else None
            )

        def run(with_: Runner, clock: StageClock | None = None) -> RunResult:
            return with_.run(
                study,
                clock,
                options=request.preprocessing,
                brain_mask=request.brain_mask,
                refinement=request.refinement,
                roi=request.roi,
                base=request.base,
            )

        result = run(pipeline, clock)
        with clock.stage("record"):
            inputs = record_inputs(study)
            scope = Scope.HEAD if request.roi is None else Scope.REGION
            output = record_output(result.segmentation, None, result.refinement, scope)
            hardware, environment = self._machine()
        result = replace(result, stages_ms=clock.stages_ms)
        peak = peak_memory_bytes()
        benchmark = quality = None
        if request.iterations is not None:
            benchmark = time_case(
                pipeline,
                result.network_input,
                request.iterations,
                lambda: run(pipeline),
                IN_MEMORY_INCLUDES,
                clock.progress,
            )
        if reference is not None:
            clock.progress.begin("verify: FP32 reference run")
            quality = compare(result, run(reference))
        manifest = build_manifest(
            result,
            model=identify_model(pipeline.package.card),
            inputs=inputs,
            output=output,
            requested_backend=options.backend,
            requested_precision=options.precision,
            choice=pipeline.choice,
            benchmark=benchmark,
            quality=quality,
            peak_memory_bytes=peak,
            hardware=hardware,
            environment=environment,
        )
        return result, manifest

    def pipeline(self, options: Options) -> Runner:
        """Return the pipeline of a request, the same one as before where it is still there.

        :raises BrainSegAccelError: this machine cannot run it, or there is no such model.
        """
        return self._make_pipeline(
            model=options.model,
            backend=options.backend,
            precision=options.precision,
            device=options.device,
        )
