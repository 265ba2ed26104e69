"""What the networks that this project trains take and say, by their task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..study.modality import Modality
from ..study.schemes import BRAIN_LABELS, TUMOUR_LABELS
from .description import ANY, Channel, Inputs, Outputs, UnitRange, ZScore

TaskName = Literal["tumour", "brain"]


@dataclass(frozen=True)
class Task:
    """The parts of a model card that do not depend on how a network is trained."""

    name: TaskName
    inputs: Inputs
    outputs: Outputs

    @property
    def channels(self) -> tuple[int, int]:
        """How many the input has, and the output."""
        return len(self.inputs.channels), len(self.outputs.channels)


TUMOUR = Task(
    "tumour",
    Inputs(
        channels=tuple(Channel(modality=modality) for modality in Modality),
        spacing_mm=(1.0, 1.0, 1.0),
        normaliser=ZScore(),
        availability=True,
    ),
    Outputs(
        activation="sigmoid",
        channels=("ET", "TC", "WT"),
        scheme=TUMOUR_LABELS,
        thresholds={"ET": 0.5, "TC": 0.5, "WT": 0.5},
        # A sphere of 4.6 mm diameter: below it, a connected part is noise more often than a lesion.
        smallest_lesion_ml=0.05,
        # A part must reach a probability of 0.95 somewhere. Chosen on synthetic cases: many false
        # parts stay below, and hardly any true one.
        peak_odds=20.0,
    ),
)
"""Enhancing tumour, tumour core and whole tumour from any of T1, T1c, T2 and FLAIR."""

BRAIN = Task(
    "brain",
    Inputs(
        channels=(Channel(modality=ANY, required=True),),
        spacing_mm=(2.5, 2.5, 2.5),
        normaliser=UnitRange(),
        availability=False,
    ),
    Outputs(
        activation="sigmoid",
        channels=("BRAIN",),
        scheme=BRAIN_LABELS,
        # Of 0.3, 0.4 and 0.5 the best for 48 synthetic images, mean and worst.
        thresholds={"BRAIN": 0.5},
    ),
)
"""The brain from one image of a head, of any sequence."""

TASKS = {task.name: task for task in (TUMOUR, BRAIN)}
