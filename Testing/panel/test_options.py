"""The panel's parameters are held to the fields of `RunOptions`."""

from __future__ import annotations

from typing import Any

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.panel.choices import brainExtractionChoices, registrationChoices
from BrainSegAccelLib.panel.options import (
    ASKED_ELSEWHERE,
    READ_BY,
    optionsOf,
    parameterOf,
    plainSettings,
)
from BrainSegAccelLib.panel.parameters import BrainSegAccelParameterNode
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.settings import Setting, settings_of

SETTINGS = {setting.name: setting for setting in settings_of(RunOptions)}
PLAIN = list(plainSettings())


@pytest.fixture
def parameters(slicer) -> BrainSegAccelParameterNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    return BrainSegAccelParameterNode(node)


def missing(parameters, model: type[RunOptions]) -> list[str]:
    return [s.name for s in plainSettings(model) if not hasattr(parameters, parameterOf(s))]


def another(setting: Setting) -> Any:
    """Return a value that is allowed and not the usual one."""
    if isinstance(setting.default, bool):
        return not setting.default
    if setting.names:
        return next(name for name in reversed(setting.names) if name != setting.default)
    assert isinstance(setting.default, str), f"say here what else {setting.name} may be"
    return "another"


def value_of(options: RunOptions, setting: Setting) -> Any:
    value: Any = options
    for name in setting.path:
        value = getattr(value, name)
    return value


def test_every_setting_has_its_parameter_or_a_reason(parameters):
    assert missing(parameters, RunOptions) == []
    assert {*READ_BY, *ASKED_ELSEWHERE} <= set(SETTINGS)
    assert all(reason.strip() for reason in ASKED_ELSEWHERE.values())


def test_a_new_setting_is_missed(parameters):
    class More(RunOptions):
        new_setting: bool = False

    assert missing(parameters, More) == ["new_setting"]


def test_the_panel_asks_for_the_usual_unless_told_otherwise(parameters):
    assert optionsOf(parameters) == RunOptions()


@pytest.mark.parametrize("setting", PLAIN, ids=[setting.name for setting in PLAIN])
def test_a_parameter_sets_its_field_and_no_other(parameters, setting):
    chosen = another(setting)
    setattr(parameters, parameterOf(setting), chosen)
    options = optionsOf(parameters)
    assert value_of(options, setting) == chosen
    others = [s for s in SETTINGS.values() if s.name != setting.name]
    assert all(value_of(options, s) == s.default for s in others)


def test_sliders_and_model_are_read(parameters):
    parameters.thresholds, parameters.smallestLesion = {"ET": 0.7, "of another model": 0.2}, 0.2
    options = optionsOf(parameters)
    assert options.refinement.thresholds == {"ET": 0.7}
    assert options.refinement.smallest_lesion_ml == 0.2
    parameters.model, parameters.modelFile = "file", "some.card.json"
    assert optionsOf(parameters).model == "some.card.json"


def test_a_value_that_there_is_not_is_refused_in_a_line(parameters):
    parameters.precision = "fp7"
    with pytest.raises(InputError, match=r"--precision: .*fp7"):
        optionsOf(parameters)


@pytest.mark.parametrize(
    ("setting", "choices"),
    [
        ("preprocessing.registration", registrationChoices),
        ("preprocessing.brain_extraction", brainExtractionChoices),
    ],
)
def test_every_value_of_a_closed_setting_is_offered(setting, choices):
    assert SETTINGS[setting].closed
    assert {choice.value for choice in choices()} == set(SETTINGS[setting].names)


def test_widgets_offer_nothing_that_a_field_refuses(ui, slider):
    widgets = {
        "refinement.thresholds": [slider(region) for region in ("ET", "TC", "WT")],
        "refinement.smallest_lesion_ml": [slider("smallestLesion")],
        "iterations": [ui.iterationsBox],
    }
    for name, offered in widgets.items():
        limits = SETTINGS[name].limits
        assert all(widget.minimum >= limits["ge"] for widget in offered)
        assert all(widget.maximum <= limits.get("le", float("inf")) for widget in offered)
