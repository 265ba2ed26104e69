"""What a parameter node says of the options of a run."""

from __future__ import annotations

from typing import Any

from ..models.description import Outputs
from ..postprocessing.refinement import Refinement
from ..runs.options import RunOptions
from ..settings import Setting, checked, settings_of
from .model_outputs import outputsOf
from .parameters import BrainSegAccelParameterNode, modelOf

NOT_HERE = {
    "brain_mask": "a node, which is read when the run begins",
    "roi": "counts only for a run inside of it",
    "base": "is kept in memory, not in the scene",
    "iterations": "counts only for a benchmark",
    "verify": "is a button of its own",
    "grid": "a result lies on its reference volume",
    "refinement.peak_odds": "is left to the model",
}
"""Settings that `optionsOf` leaves as they are, and why."""
_NAMES = {"refinement.smallest_lesion_ml": "smallestLesion"}


def parameterOf(setting: Setting) -> str:
    """Return what the parameter that holds a setting is called."""
    first, *rest = setting.path[-1].split("_")
    return _NAMES.get(setting.name, first + "".join(word.capitalize() for word in rest))


def optionsOf(parameters: BrainSegAccelParameterNode) -> RunOptions:
    """Return what the panel asks for.

    :raises InputError: a value that this version does not know, of a scene of another one.
    """
    values: dict[str, Any] = {}
    for setting in settings_of(RunOptions):
        if setting.name not in NOT_HERE and setting.path[0] not in ("model", "refinement"):
            place = values
            for name in setting.path[:-1]:
                place = place.setdefault(name, {})
            place[setting.path[-1]] = getattr(parameters, parameterOf(setting))
    model = modelOf(parameters)
    refinement = refinementOf(parameters, outputsOf(model))
    return checked(RunOptions, values | {"model": model, "refinement": refinement})


def refinementOf(parameters: BrainSegAccelParameterNode, outputs: Outputs | None) -> Refinement:
    """Return what a parameter node asks of a model; what is of other models' regions is left out.

    :param outputs: the model's; None if it cannot be read.
    """
    known = {region.identifier for region in outputs.scheme.regions} if outputs else set()
    smallest = parameters.smallestLesion
    return Refinement(
        thresholds={name: t for name, t in parameters.thresholds.items() if name in known},
        smallest_lesion_ml=smallest if smallest >= 0 else None,
    )
