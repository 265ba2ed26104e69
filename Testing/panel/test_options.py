"""What the parameter node holds is what the panel asks for."""

from __future__ import annotations

import pytest
from BrainSegAccelLib.panel.asked import NOT_HERE, optionsOf, parameterOf
from BrainSegAccelLib.panel.parameters import BrainSegAccelParameterNode
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.settings import settings_of

ALL = tuple(settings_of(RunOptions))


@pytest.mark.parametrize("setting", ALL, ids=[setting.name for setting in ALL])
def test_every_setting_is_a_parameter_or_says_why_not(setting) -> None:
    parameters = BrainSegAccelParameterNode.__annotations__
    assert (parameterOf(setting) in parameters) or NOT_HERE[setting.name]


def test_the_usual_parameters_ask_for_the_usual_run(widget) -> None:
    assert optionsOf(widget._parameterNode) == RunOptions()


def test_each_parameter_asks_for_its_setting(widget) -> None:
    parameters = widget._parameterNode
    parameters.backend, parameters.precision, parameters.device = "openvino", "fp32", "cpu"
    parameters.registration, parameters.brainExtraction = "off", "on"
    parameters.biasCorrection, parameters.smallestLesion = True, 1.25
    parameters.thresholds = {"TC": 0.25, "of another model": 0.75}
    asked = optionsOf(parameters)
    assert tuple(dict(asked.engine).values()) == ("openvino", "fp32", "cpu")
    assert tuple(dict(asked.preprocessing).values()) == ("off", True, "on")
    assert asked.refinement.smallest_lesion_ml == 1.25
    assert asked.refinement.thresholds == {"TC": 0.25}
