"""What a run has left in the scene, as it is made and as a saved scene brings it back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.mrml.volumes import volume_from_node
from BrainSegAccelLib.panel.questions import Overwrite
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.terminology import terminology_entry
from label_schemes import TUMOUR
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import reference
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkCommonTransforms import vtkTransform

STATES = ("as it is made", "saved and loaded")
LPS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def reload(slicer, tmp_path, wait, ui):
    """Return ``reload()``, which saves the scene, closes it and loads it again."""

    def reload() -> None:
        path = tmp_path / "scene.mrb"
        assert slicer.util.saveScene(str(path))
        slicer.mrmlScene.Clear(False)
        assert ui.segmentationSelector.currentNode() is None
        slicer.util.loadScene(str(path))
        wait(lambda: ui.t1cSelector.currentNode() is not None)

    return reload


@pytest.fixture
def oblique(four, slicer):
    """The four volumes, turned in their headers and moved together by a transform."""
    turned = vtkTransform()
    turned.RotateWXYZ(25.0, 1.0, 2.0, 3.0)
    moved = vtkTransform()
    moved.Translate(12.5, -7.25, 3.0)
    moved.RotateZ(10.0)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    transform.SetMatrixTransformToParent(moved.GetMatrix())
    for node in four.values():
        node.SetIJKToRASDirectionMatrix(turned.GetMatrix())
        node.SetAndObserveTransformNodeID(transform.GetID())
    return four


@pytest.fixture(params=STATES)
def result(request, oblique, apply, reload, ui):
    """The segmentation node of a run on oblique volumes under a transform."""
    node = apply()
    if request.param == STATES[1]:
        reload()
        node = ui.segmentationSelector.currentNode()
    return node


def centres(node, label: int) -> np.ndarray:
    """Return where the voxels of a segment lie in world, LPS mm, sorted."""
    segment = node.GetSegmentation().GetSegment(TUMOUR.scheme.labels[label - 1].identifier)
    image = segment.GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    found = np.argwhere(voxels.reshape(image.GetDimensions()[::-1]) == segment.GetLabelValue())
    extent, own, parent = image.GetExtent(), vtkMatrix4x4(), vtkMatrix4x4()
    image.GetImageToWorldMatrix(own)
    node.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    to_world = matrix(parent) @ matrix(own)
    ijk = found[:, ::-1] + np.array([extent[0], extent[2], extent[4]])
    return in_order((ijk @ to_world[:3, :3].T + to_world[:3, 3]) * LPS)


def matrix(vtk: vtkMatrix4x4) -> np.ndarray:
    return np.array([[vtk.GetElement(row, column) for column in range(4)] for row in range(4)])


def in_order(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(np.round(points, 2).T)]


def test_names_and_colours(result):
    assert result.GetName() == "case T1c tumour"
    content = result.GetSegmentation()
    assert list(content.GetSegmentIDs()) == [s.identifier for s in TUMOUR.scheme.labels]
    for segment in TUMOUR.scheme.labels:
        held = content.GetSegment(segment.identifier)
        assert held.GetName() == segment.name
        np.testing.assert_allclose(held.GetColor(), np.array(segment.colour) / 255, atol=1e-6)


def test_terminology(result):
    for segment in TUMOUR.scheme.labels:
        entry = reference("")
        held = result.GetSegmentation().GetSegment(segment.identifier)
        assert held.GetTag("TerminologyEntry", entry)
        assert str(entry) == terminology_entry(segment, TUMOUR.scheme)


def test_every_voxel_lies_where_the_run_found_it(result, worker, session):
    found, _ = session.segment(worker.requests[-1], StageClock())
    labels, affine = found.segmentation.labels, found.segmentation.grid.affine
    assert len(np.unique(labels)) > 2
    for segment in TUMOUR.scheme.labels:
        ijk = np.argwhere(labels == segment.value)[:, ::-1]
        expected = in_order(ijk @ affine[:3, :3].T + affine[:3, 3])
        np.testing.assert_allclose(centres(result, segment.value), expected, atol=1e-2)


def test_manifest_and_tables(result, ui):
    document = json.loads(result.GetNodeReference("BrainSegAccel.Manifest").GetText())
    validate(document)
    volumes = result.GetNodeReference("BrainSegAccel.Volumes")
    assert float(volumes.GetCellText(0, 1)) == pytest.approx(
        document["outputs"][0]["volumes_ml"]["WT"], abs=1e-3
    )
    assert ui.volumesView.mrmlTableNode() is volumes
    latency = result.GetNodeReference("BrainSegAccel.Ms")
    stages = [latency.GetCellText(row, 0) for row in range(latency.GetNumberOfRows())]
    assert stages == [*document["latency"]["stages_ms"], "total"]
    assert "tumour" in ui.summaryLabel.text


def test_inputs_are_selected_and_lie_where_they_lay(result, ui, worker, widget):
    for modality, read in worker.requests[-1].volumes.items():
        node = getattr(ui, f"{modality}Selector").currentNode()
        assert node.GetName() == f"case {modality.label}"
        np.testing.assert_allclose(volume_from_node(node).affine, read.affine, atol=1e-3)


def test_our_own_result_is_replaced_without_a_question(result, apply, answers, worker):
    before = centres(result, 2)
    assert apply() is result
    assert answers.asked == []
    np.testing.assert_allclose(centres(result, 2), before, atol=1e-2)
    assert set(worker.requests[-1].volumes) == set(Modality)


def test_the_users_work_is_not_replaced_without_a_question(result, apply, answers, ui):
    result.GetSegmentation().AddEmptySegment("mine", "By hand")
    answers.overwriting = Overwrite.CANCEL
    ui.applyButton.click()
    assert answers.asked == [result.GetName()]
    assert "mine" in result.GetSegmentation().GetSegmentIDs()


def test_what_was_chosen_comes_back(four, apply, reload, ui, widget, slider):
    apply()
    widget._parameterNode.backend = "onnxruntime"
    widget._parameterNode.thresholds = {"ET": 0.25}
    reload()
    assert ui.backendBox.currentText == "ONNX Runtime"
    assert slider("ET").value == 0.25
    assert not slider("ET").enabled
