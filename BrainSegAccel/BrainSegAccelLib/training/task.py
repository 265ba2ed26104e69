"""What one trainer has to know of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..models.tasks import Task
from .config import TrainingConfig
from .samples import DrawSample, SourceOf
from .validation import ValidationSet


@dataclass(frozen=True)
class TrainingTask:
    """What a network learns, and from what.

    :param task: what it takes and says.
    :param window: static (D, H, W) that it is scored in, and shipped with.
    :param draw: draws a sample of a case.
    :param sources: where synthetic cases come from, by stage.
    :param validation: synthetic cases that training never sees.
    """

    task: Task
    window: tuple[int, int, int]
    draw: DrawSample
    sources: Callable[[TrainingConfig, torch.device], SourceOf]
    validation: Callable[[TrainingConfig, torch.device], ValidationSet]
