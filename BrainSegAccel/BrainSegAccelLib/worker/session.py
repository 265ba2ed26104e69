"""What the worker does with a request, on pipelines that stay warm."""

from __future__ import annotations

from functools import lru_cache

from ..inference.result import RunResult
from ..manifest.model import Manifest
from ..runs.execute import execute
from ..runs.in_memory import HandedBack, MemoryInputs
from ..runs.options import RunOptions
from ..runs.progress import StageClock
from ..runs.runner import PipelineFactory, Runner, local_pipeline
from .messages import Segment

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
        return execute(
            MemoryInputs(request.volumes),
            request.options,
            HandedBack(),
            make_pipeline=self._make_pipeline,
            clock=clock,
        )

    def pipeline(self, options: RunOptions) -> Runner:
        """Return the pipeline of a request, the same one as before where it is still there.

        :raises BrainSegAccelError: this machine cannot run it, or there is no such model.
        """
        return self._make_pipeline(options.model, options.engine)
