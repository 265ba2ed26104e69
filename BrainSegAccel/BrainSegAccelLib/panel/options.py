"""The options of a run, as the panel's parameters have them.

A setting is a field of `runs.options.RunOptions`. Unless it is named here, the parameter of the
same name (in camelCase) holds its value, so that a new field needs a parameter and a widget only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from ..models.description import Outputs
from ..postprocessing.refinement import Refinement
from ..runs.options import RunOptions
from ..settings import Setting, checked, settings_of
from .model_outputs import outputsOf
from .parameters import BrainSegAccelParameterNode, modelOf


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


def _refinement(parameters: BrainSegAccelParameterNode) -> Refinement:
    return refinementOf(parameters, outputsOf(modelOf(parameters)))


READ_BY: Mapping[str, Callable[[BrainSegAccelParameterNode], Any]] = {
    "model": modelOf,
    "refinement.thresholds": lambda parameters: _refinement(parameters).thresholds,
    "refinement.smallest_lesion_ml": lambda parameters: _refinement(parameters).smallest_lesion_ml,
}
"""Settings that are not one parameter's value as it stands, and what reads them."""

ASKED_ELSEWHERE: Mapping[str, str] = {
    "brain_mask": "a node of the scene, which a run reads with the volumes",
    "roi": "a node of the scene, for the button Run again inside only",
    "base": "the result that the sliders work on, for the button Run again inside only",
    "iterations": "for the buttons Benchmark and Compare only",
    "verify": "has a button of its own",
    "grid": "a result overlays its reference volume, under whose transform it goes",
    "refinement.peak_odds": "the threshold of a region moves it; the model has its own",
}
"""Settings that the parameters alone do not ask for, and why."""


def parameterOf(setting: Setting) -> str:
    """Return the name of the parameter that holds a setting, e.g. ``biasCorrection``."""
    first, *others = setting.path[-1].split("_")
    return first + "".join(word.capitalize() for word in others)


def plainSettings(model: type[BaseModel] = RunOptions) -> Iterator[Setting]:
    """Yield the settings that are a parameter's value as it stands."""
    for setting in settings_of(model):
        if setting.name not in READ_BY and setting.name not in ASKED_ELSEWHERE:
            yield setting


def optionsOf(parameters: BrainSegAccelParameterNode) -> RunOptions:
    """Return what the parameters ask for.

    :raises InputError: a value that there is not, e.g. in a scene that a newer version has saved.
    """
    asked = {s.name: getattr(parameters, parameterOf(s)) for s in plainSettings()}
    asked |= {name: read(parameters) for name, read in READ_BY.items()}
    values: dict[str, Any] = {}
    for name, value in asked.items():
        *within, last = name.split(".")
        place = values
        for part in within:
            place = place.setdefault(part, {})
        place[last] = value
    return checked(RunOptions, values)
