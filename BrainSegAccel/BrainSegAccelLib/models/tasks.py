"""What the networks that this project trains take and say, by their task: as the shipped cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ..errors import ModelError
from ..records import first_problem
from ..resources import DEFAULT_MODEL, resource
from .description import Inputs, Outputs

TaskName = Literal["tumour", "brain"]
_REMEDY = "reinstall BrainSegAccel"


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


def task_of(path: Path) -> Task:
    """Return the task of a model card.

    A card that is trained, exported or migrated is made of these parts, so they are read before
    there is a `card.ModelCard`, and what lies beside them is left alone.

    :raises ModelError: the card is missing or damaged.
    """
    try:
        document = TypeAdapter(dict[str, object]).validate_json(path.read_bytes())
        parts = {name: document.get(name) for name in ("inputs", "outputs")}
        return TypeAdapter(Task).validate_python({"name": document.get("task"), **parts})
    except ValidationError as error:
        problem = first_problem(error)
    except OSError as error:
        problem = str(error.strerror)
    raise ModelError(f"the shipped card cannot be read: {problem}", where=path.name, remedy=_REMEDY)


TUMOUR = task_of(resource("Models", f"{DEFAULT_MODEL}.card.json"))
"""Enhancing tumour, tumour core and whole tumour from any of T1, T1c, T2 and FLAIR."""

BRAIN = task_of(resource("Models", "brain.card.json"))
"""The brain from one image of a head, of any sequence."""

TASKS = {task.name: task for task in (TUMOUR, BRAIN)}
