"""What a run needs of a pipeline, so that another can be handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..backends.auto import Choice
    from ..backends.cache import EngineCache
    from ..backends.choice import EngineChoice
    from ..backends.protocol import Engine
    from ..inference.result import RunResult
    from ..models.package import ModelPackage
    from ..study.study import Study
    from .options import RunOptions
    from .progress import StageClock


class Runner(Protocol):
    """What a run needs of `pipeline.Pipeline`."""

    @property
    def package(self) -> ModelPackage:
        """The model that runs."""
        ...

    @property
    def choice(self) -> Choice | None:
        """What ``auto`` measured, once an engine is there."""
        ...

    @property
    def settled(self) -> bool:
        """Whether `warm` knows what to build without measuring."""
        ...

    def warm(self, clock: StageClock | None = None) -> Engine:
        """Return the engine, built if need be."""
        ...

    def run(
        self, study: Study, options: RunOptions | None = None, clock: StageClock | None = None
    ) -> RunResult:
        """Segment a study."""
        ...


class PipelineFactory(Protocol):
    """Makes a pipeline, or says why this machine cannot run it."""

    def __call__(
        self, model: str, engine: EngineChoice, *, cache: EngineCache | None = None
    ) -> Runner:
        """Check the request.

        :param model: name of a shipped model, or path of a model card or its folder.
        :param cache: where engines are kept; default: the user's.
        :raises UnavailableError: this machine cannot run what is asked for.
        :raises InputError: there is no such model.
        :raises ModelError: its files cannot be trusted.
        """
        ...


def local_pipeline(model: str, engine: EngineChoice, *, cache: EngineCache | None = None) -> Runner:
    """Return a pipeline in this process."""
    from .pipeline import Pipeline

    return Pipeline(model, engine, cache)
