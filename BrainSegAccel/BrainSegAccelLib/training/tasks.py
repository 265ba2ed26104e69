"""The tasks that networks are trained for."""

from __future__ import annotations

from ..models.tasks import TaskName
from .brain import BRAIN_TRAINING
from .task import TrainingTask
from .tumour import TUMOUR_TRAINING

_TASKS = {one.task.name: one for one in (TUMOUR_TRAINING, BRAIN_TRAINING)}


def training_task(name: TaskName) -> TrainingTask:
    """Return a task by its name."""
    return _TASKS[name]
