"""Folders of small cases, and tasks of a tiny model that other processes can load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from BrainSegAccelLib.batch.task import Task
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.runs.job import Job
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
        for number in range(count):
            folder = tmp_path / "cases" / f"c{number}"
            folder.mkdir(parents=True)
            image = to_image(volume.array + number, volume.grid)
            sitk.WriteImage(image, str(folder / "t1c.nii.gz"))
            output = tmp_path / "out" / f"c{number}.nii.gz"
            job = Job(
                inputs={},
                output=output,
                manifest=tmp_path / "out" / f"c{number}.manifest.json",
                model=str(tiny_card),
                backend="onnxruntime",
            )
            tasks.append(Task(f"c{number}", folder, job))
        return tasks

    return make
