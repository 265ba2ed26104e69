"""A region with its own label, colour and slider: the model's card says so, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.worker.session import Session
from label_schemes import POSTOPERATIVE
from vtkmodules.util.numpy_support import vtk_to_numpy

REGIONS = ("lesion", "cavity", "core", "rim")


@pytest.fixture(scope="module")
def session(postoperative_card, tmp_path_factory) -> Session:
    package = load_package(postoperative_card)
    cache = EngineCache(tmp_path_factory.mktemp("cache"))

    def make(model: str, engine: EngineChoice) -> Pipeline:
        return Pipeline(package, engine.model_copy(update={"backend": "onnxruntime"}), cache)

    return Session(make)


@pytest.fixture
def chosen(widget, postoperative_card):
    """The panel with the model selected."""
    widget._parameterNode.model = "file"
    widget._parameterNode.modelFile = str(postoperative_card)
    return widget


def voxels(node, identifier: str) -> int:
    segment = node.GetSegmentation().GetSegment(identifier)
    values = vtk_to_numpy(segment.GetRepresentation("Binary labelmap").GetPointData().GetScalars())
    return int(np.count_nonzero(values == segment.GetLabelValue()))


def test_sliders_are_those_of_the_selected_model(widget, chosen, slider, ui) -> None:
    assert slider("WT") is None
    assert [slider(name).value for name in REGIONS] == [0.5, 0.6, 0.5, 0.5]
    assert slider("smallestLesion").value == POSTOPERATIVE.smallest_lesion_ml
    texts = [child.text for child in ui.slidersContents.findChildren(type(ui.refineHint))]
    assert texts == [
        "Everything but the cavity:",
        "Cavity of resection:",
        "Solid part:",
        "Bright part:",
        "Smallest lesion:",
    ]
    widget._parameterNode.model = "full"
    assert slider("cavity") is None
    assert slider("WT").value == 0.5


def test_result_has_the_model_s_labels(four, chosen, apply, worker) -> None:
    chosen._parameterNode.thresholds = {"cavity": 0.3, "ET": 0.9}
    node = apply()
    assert worker.requests[-1].options.refinement.thresholds == {"cavity": 0.3}
    content = node.GetSegmentation()
    for label in POSTOPERATIVE.scheme.labels:
        segment = content.GetSegment(label.identifier)
        assert (segment.GetName(), segment.GetLabelValue()) == (label.name, label.value)
        np.testing.assert_allclose(segment.GetColor(), np.array(label.colour) / 255, atol=1e-6)
    table = node.GetNodeReference("BrainSegAccel.Volumes")
    columns = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
    assert columns[1:5] == [
        "everything but the cavity ml",
        "cavity of resection ml",
        "solid part ml",
        "bright part ml",
    ]
    assert chosen.ui.summaryLabel.text.startswith("Cavity of resection")


def test_a_slider_of_its_own_moves_the_region(four, chosen, apply, slider, wait, ui) -> None:
    node = apply()
    before = voxels(node, "cavity")
    slider("cavity").value = 0.2
    wait(lambda: voxels(node, "cavity") > before)
    assert chosen._parameterNode.thresholds == {"cavity": 0.2}
    slider("cavity").value = 1.0
    wait(lambda: voxels(node, "cavity") == 0)
    ui.resetButton.click()
    wait(lambda: voxels(node, "cavity") == before)
    assert chosen._parameterNode.thresholds == {}


def test_sliders_stay_with_the_result_when_another_model_is_selected(
    four, chosen, apply, slider
) -> None:
    apply()
    chosen._parameterNode.model = "full"
    assert slider("cavity").enabled
    assert slider("WT") is None
