"""The command line on a tiny model and small heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.resources import DEFAULT_MODEL
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.study import Study

Run = Callable[..., int]


@pytest.fixture(scope="session")
def services(tiny_package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Real pipelines, of a tiny model by default; the engines are built once for all tests."""
    engines = EngineCache(tmp_path_factory.mktemp("engines"))

    def make_pipeline(
        model: str, engine: EngineChoice, *, cache: EngineCache = engines
    ) -> Pipeline:
        return Pipeline(tiny_package if model == DEFAULT_MODEL else model, engine, cache)

    return Services(make_pipeline, since_start=None)


@pytest.fixture
def run(services: Services) -> Run:
    """Run one command in this process; paths become text."""
    return lambda *arguments: main([str(argument) for argument in arguments], services)


@pytest.fixture
def case_dir(tmp_path: Path, four_modalities: Study) -> Path:
    """A folder with t1, t1c, t2 and flair .nii.gz."""
    folder = tmp_path / "case"
    folder.mkdir()
    for modality, volume in four_modalities.items():
        sitk.WriteImage(to_image(volume.array, volume.grid), str(folder / f"{modality}.nii.gz"))
    return folder
