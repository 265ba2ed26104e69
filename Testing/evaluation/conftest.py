"""Pipelines whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Engine
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.segmentation import Segmentation
from BrainSegAccelLib.study.study import Study

Answer = Callable[[Study], Segmentation]


class Answering:
    """A real pipeline of a tiny model whose segmentation is replaced by a known one."""

    def __init__(self, pipeline: Pipeline, answer: Answer) -> None:
        self._pipeline = pipeline
        self._answer = answer
        self.seen: list[Study] = []
        self.package = pipeline.package
        self.choice = None

    def warm(self, clock: StageClock | None = None) -> Engine:
        return self._pipeline.warm(clock)

    def run(
        self, study: Study, options: RunOptions | None = None, clock: StageClock | None = None
    ) -> RunResult:
        self.seen.append(study)
        result = self._pipeline.run(study, options, clock)
        return replace(result, segmentation=self._answer(study))


@pytest.fixture(scope="session")
def tiny_pipeline(tiny_package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    return Pipeline(tiny_package, EngineChoice(backend="openvino"), cache)


@pytest.fixture
def answering(tiny_pipeline: Pipeline) -> Callable[[Answer], Answering]:
    """Make a pipeline with known answers."""
    return lambda answer: Answering(tiny_pipeline, answer)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder for cases."""
    folder = tmp_path / "cases"
    folder.mkdir()
    return folder
