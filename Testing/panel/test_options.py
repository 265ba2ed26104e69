"""What the parameter node holds is what the panel asks for."""

from __future__ import annotations

import pytest
from BrainSegAccelLib.panel.asked import NOT_HERE, optionsOf, parameterOf
from BrainSegAccelLib.panel.parameters import BrainSegAccelParameterNode
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.settings import settings_of
from BrainSegAccelLib.study.regions import Region

ALL = tuple(settings_of(RunOptions))


@pytest.mark.parametrize("setting", ALL, ids=[setting.name for setting in ALL])
def test_every_setting_is_a_parameter_or_says_why_not(setting) -> None:
    parameters = BrainSegAccelParameterNode.__annotations__
    if setting.name == "refinement.thresholds":
        assert all(f"threshold{region}" in parameters for region in Region)
    else:
        assert (parameterOf(setting) in parameters) or NOT_HERE[setting.name]


def test_the_usual_parameters_ask_for_the_usual_run(widget) -> None:
    asked = optionsOf(widget._parameterNode)
    usual = RunOptions()
    assert asked.model_copy(update={"refinement": usual.refinement}) == usual


def test_each_parameter_asks_for_its_setting(widget) -> None:
    parameters = widget._parameterNode
    parameters.backend, parameters.precision, parameters.device = "openvino", "fp32", "cpu"
    parameters.registration, parameters.brainExtraction = "off", "on"
    parameters.biasCorrection, parameters.smallestLesion = True, 1.25
    asked = optionsOf(parameters)
    assert tuple(dict(asked.engine).values()) == ("openvino", "fp32", "cpu")
    assert tuple(dict(asked.preprocessing).values()) == ("off", True, "on")
    assert asked.refinement.smallest_lesion_ml == 1.25
