"""The command line on a tiny model and small heads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from BrainSegAccelLib.inference.pipeline import Pipeline
from BrainSegAccelLib.network.package import ModelPackage
from BrainSegAccelLib.preprocessing.resampling import to_image
from BrainSegAccelLib.study import Study

Run = Callable[..., int]


@pytest.fixture(scope="session")
def services(tiny_package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Real pipelines of a tiny model; the engines are built once for all tests."""
    cache = EngineCache(tmp_path_factory.mktemp("engines"))
    return Services(partial(Pipeline, model=tiny_package, cache=cache), since_start=None)


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
