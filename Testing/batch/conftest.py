"""Folders of small cases, and tasks of a tiny model that other processes can load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.batch.task import Task
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.study import Study

MakeTasks = Callable[[int], list[Task]]


@pytest.fixture
def make_tasks(
    tmp_path: Path, four_modalities: Study, tiny_card: Path, monkeypatch: pytest.MonkeyPatch
) -> MakeTasks:
    """Write cases of one modality and return tasks that put their results into ``out``."""
    monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "out").mkdir()
    volume = next(iter(four_modalities.values()))

    def make(count: int) -> list[Task]:
        tasks = []
        engine = EngineChoice(backend="onnxruntime")
        options = RunOptions(model=str(tiny_card), engine=engine)
        for number in range(count):
            folder = tmp_path / "cases" / f"c{number}"
            folder.mkdir(parents=True)
            image = to_image(volume.array + number, volume.grid)
            sitk.WriteImage(image, str(folder / "t1c.nii.gz"))
            output = tmp_path / "out" / f"c{number}.nii.gz"
            tasks.append(Task(f"c{number}", folder, output, options))
        return tasks

    return make
