"""What the worker does with a request, on pipelines that stay warm."""

from __future__ import annotations

from functools import lru_cache

from ..backends.choice import EngineChoice
from ..inference.result import RunResult
from ..manifest.model import Manifest
from ..runs.execute import execute
from ..runs.in_memory import HandedBack, MemoryInputs
from ..runs.options import RunOptions
from ..runs.progress import StageClock
from ..runs.runner import PipelineFactory, Runner, local_pipeline
from ..settings import checked
from .requests import Options, Segment

WARM_PIPELINES = 2
"""The one in use, and the one before it or the FP32 reference; an engine holds gigabytes."""


class Session:
    """The pipelines that this process has, and what they do.

    :param make_pipeline: makes the pipeline of a request.
    """

    def __init__(self, make_pipeline: PipelineFactory = local_pipeline) -> None:
        self._make_pipeline = lru_cache(maxsize=WARM_PIPELINES)(make_pipeline)

    def segment(self, request: Segment, clock: StageClock) -> tuple[RunResult, Manifest]:
        """Segment a study, and time and verify it as asked.

        :raises BrainSegAccelError: unusable volumes or options, or a run that failed.
        """
        options = checked(
            RunOptions,
            {
                "model": request.options.model,
                "engine": _engine(request.options),
                "preprocessing": request.preprocessing,
                "brain_mask": request.brain_mask,
                "refinement": request.refinement,
                "roi": request.roi,
                "base": request.base,
                "iterations": request.iterations,
                "verify": request.verify,
            },
        )
        inputs = MemoryInputs(request.volumes)
        return execute(
            inputs, options, HandedBack(), make_pipeline=self._make_pipeline, clock=clock
        )

    def pipeline(self, options: Options) -> Runner:
        """Return the pipeline of a request, the same one as before where it is still there.

        :raises BrainSegAccelError: this machine cannot run it, or there is no such model.
        """
        return self._make_pipeline(options.model, _engine(options))


def _engine(options: Options) -> EngineChoice:
    asked = {name: getattr(options, name) for name in EngineChoice.model_fields}
    return checked(EngineChoice, asked)
