from __future__ import annotations

import json

import numpy as np
import pytest
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.panel.questions import Overwrite
from BrainSegAccelLib.regions import SEGMENTS, terminology_entry
from vtkmodules.vtkCommonCore import reference


@pytest.fixture
def start(widget, worker, wait):
    """Return ``start()``, which presses Apply; the run is then held up in the worker."""

    def start() -> None:
        worker.hold = True
        widget.ui.applyButton.click()
        wait(lambda: widget.ui.progressBar.maximum > 0)

    return start


def identifiers(node) -> list[str]:
    return list(node.GetSegmentation().GetSegmentIDs())


def terminology(segment) -> str:
    entry = reference("")
    segment.GetTag("TerminologyEntry", entry)
    return str(entry)


def names(slicer) -> list[str]:
    scene = slicer.mrmlScene
    nodes = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())]
    return sorted(node.GetID() for node in nodes)


def test_result_is_complete(four, apply, ui, slicer):
    node = apply()
    assert node.GetName() == "case T1c tumour"
    content = node.GetSegmentation()
    assert identifiers(node) == [s.identifier for s in SEGMENTS]
    for segment in SEGMENTS:
        held = content.GetSegment(segment.identifier)
        assert held.GetName() == segment.name
        assert terminology(held) == terminology_entry()[segment.label]
        np.testing.assert_allclose(held.GetColor(), np.array(segment.colour) / 255)
    document = json.loads(node.GetNodeReference("BrainSegAccel.Manifest").GetText())
    validate(document)
    stages = list(document["latency"]["stages_ms"])
    assert (stages[0], stages[-1]) == ("read", "write")
    table = node.GetNodeReference("BrainSegAccel.Volumes")
    assert float(table.GetCellText(0, 1)) == pytest.approx(
        document["outputs"][0]["volumes_ml"]["WT"], abs=1e-3
    )
    assert "tumour" in ui.summaryLabel.text
    assert ui.volumesView.mrmlTableNode() is table
    assert ui.segmentsView.segmentationNode() is node
    assert not ui.resultCollapsibleButton.collapsed


def test_worker_gets_what_was_selected(four, apply, ui, worker, widget):
    ui.t1Selector.setCurrentNode(None)
    ui.t2Selector.setCurrentNode(None)
    widget._parameterNode.thresholdWT = 0.3
    widget._parameterNode.registration = "off"
    apply()
    (request,) = worker.requests
    assert set(request.volumes) == {Modality.T1C, Modality.FLAIR}
    assert request.refinement.thresholds["WT"] == 0.3
    assert request.preprocessing.registration == "off"
    assert (request.options.backend, request.options.model) == ("auto", "full")


def test_result_lies_in_the_study_of_its_reference(four, apply, slicer):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Doe")
    study = hierarchy.CreateStudyItem(patient, "2020")
    hierarchy.CreateItem(study, four[Modality.T1C])
    node = apply()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_our_own_result_is_replaced_without_a_question_and_comes_back_by_undo(
    four, apply, ui, answers, widget
):
    first = apply()
    assert not ui.undoButton.enabled
    before = first.GetNodeReference("BrainSegAccel.Manifest").GetText()
    ui.t1Selector.setCurrentNode(None)
    assert apply() is first
    assert answers.asked == []
    after = first.GetNodeReference("BrainSegAccel.Manifest").GetText()
    assert after != before
    ui.undoButton.click()
    assert first.GetNodeReference("BrainSegAccel.Manifest").GetText() == before
    ui.undoButton.click()
    assert first.GetNodeReference("BrainSegAccel.Manifest").GetText() == after


@pytest.mark.parametrize("answer", Overwrite)
def test_a_persons_work_is_not_overwritten_without_a_question(four, apply, ui, answers, answer):
    node = apply()
    node.GetSegmentation().AddEmptySegment("mine", "By hand")
    answers.overwriting = answer
    result = apply()
    assert answers.asked == [node.GetName()]
    if answer is Overwrite.REPLACE:
        assert result is node
        assert "mine" not in identifiers(node)
        ui.undoButton.click()
    assert (result is node) is (answer is not Overwrite.NEW)
    assert "mine" in identifiers(node)


def test_progress_tells_stage_share_and_time_left(four, start, ui):
    start()
    assert ui.progressBar.value == 450
    assert ui.stageLabel.text == "Network · about 12 s left"
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "A run is in progress."
    assert ui.cancelButton.enabled


def test_cancelled_run_leaves_the_scene_as_it_was(four, start, ui, widget, wait, slicer, worker):
    before = names(slicer)
    start()
    ui.cancelButton.click()
    wait(lambda: not widget.panel.running)
    assert names(slicer) == before
    assert ui.messageLabel.text == "Cancelled; nothing was changed."
    assert ui.applyButton.enabled
    assert not ui.cancelButton.enabled
    assert not ui.progressBar.visible


def test_input_deleted_during_a_run_costs_nothing(four, start, ui, widget, wait, slicer, worker):
    start()
    slicer.mrmlScene.RemoveNode(four[Modality.T1C])
    worker.hold = False
    wait(lambda: not widget.panel.running)
    node = ui.segmentationSelector.currentNode()
    assert len(identifiers(node)) == 3
    assert "reference volume was removed" in ui.messageLabel.text
    assert ui.t1cSelector.currentNode() is None


def test_input_deleted_before_it_is_read_is_named(four, ui, widget, wait, slicer):
    ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(four[Modality.FLAIR])
    wait(lambda: not widget.panel.running)
    assert ui.messageLabel.text == "FLAIR: was removed from the scene"
    assert ui.segmentationSelector.currentNode() is None


def test_output_deleted_during_a_run_gives_way_to_a_new_one(
    four, apply, start, ui, widget, wait, slicer, worker
):
    first = apply()
    start()
    slicer.mrmlScene.RemoveNode(first)
    worker.hold = False
    wait(lambda: not widget.panel.running)
    node = ui.segmentationSelector.currentNode()
    assert node is not first
    assert len(identifiers(node)) == 3
    assert "output segmentation was removed" in ui.messageLabel.text


def test_scene_closed_during_a_run(four, start, ui, widget, wait, slicer, worker, add_volume):
    start()
    slicer.mrmlScene.Clear(False)
    assert not widget.panel.running
    worker.hold = False
    wait(lambda: not worker.tasks)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert ui.applyButton.toolTip == "Select at least one of T1, T1c, T2 and FLAIR."
    add_volume("T2 FLAIR")
    wait(lambda: ui.applyButton.enabled)


def test_volume_moved_during_a_run_keeps_its_result(four, start, ui, widget, wait, slicer, worker):
    start()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    four[Modality.T1C].SetAndObserveTransformNodeID(transform.GetID())
    worker.hold = False
    wait(lambda: not widget.panel.running)
    node = ui.segmentationSelector.currentNode()
    assert node.GetParentTransformNode() is transform


def test_crash_is_told_with_the_last_lines(four, ui, worker, apply, answers):
    worker.failure = ("the background process was killed; run again", ("line 1", "line 2"))
    assert apply() is None
    assert ui.messageLabel.text == "the background process was killed; run again"
    ui.logButton.click()
    assert answers.shown == ["line 1\nline 2"]
    assert apply() is not None
    assert not ui.logButton.visible


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((30, 40, 28), np.nan, "f4"), "NaN"),
        (np.zeros((30, 40, 28), "f4"), "every voxel is 0"),
        (np.ones((2, 2, 2), "f4"), "2 x 2 x 2 mm cannot hold a brain"),
        (np.ones((1, 40, 28), "f4"), "2-D image"),
    ],
)
def test_unusable_volume_is_named(add_volume, apply, ui, slicer, array, said):
    node = add_volume("T1c", array)
    node.SetSpacing(1, 1, 1)
    before = names(slicer)
    assert apply() is None
    assert said in ui.messageLabel.text
    assert "T1c" in ui.messageLabel.text
    assert names(slicer) == before


def test_run_goes_on_while_another_module_is_open(four, start, ui, widget, wait, worker, slicer):
    start()
    widget.parent.isEntered = False
    widget.exit()
    worker.hold = False
    wait(lambda: not widget.panel.running)
    widget.parent.isEntered = True
    widget.enter()
    assert len(identifiers(ui.segmentationSelector.currentNode())) == 3


def test_saved_scene_comes_back_whole(four, apply, ui, slicer, tmp_path, widget, wait):
    node = apply()
    widget._parameterNode.backend = "onnxruntime"
    widget._parameterNode.thresholdET = 0.25
    wait(lambda: widget._parameterNode.thresholdET == 0.25)
    manifest = node.GetNodeReference("BrainSegAccel.Manifest").GetText()
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(False)
    assert ui.segmentationSelector.currentNode() is None
    slicer.util.loadScene(str(path))
    wait(lambda: ui.segmentationSelector.currentNode() is not None)
    loaded = ui.segmentationSelector.currentNode()
    assert loaded.GetName() == "case T1c tumour"
    for segment in SEGMENTS:
        held = loaded.GetSegmentation().GetSegment(segment.identifier)
        assert held.GetName() == segment.name
        assert terminology(held) == terminology_entry()[segment.label]
    again = [0.0] * 6
    loaded.GetRASBounds(again)
    np.testing.assert_allclose(again, bounds, atol=1e-3)
    assert loaded.GetNodeReference("BrainSegAccel.Manifest").GetText() == manifest
    assert ui.volumesView.mrmlTableNode().GetNumberOfRows() > 0
    assert ui.t1cSelector.currentNode().GetName() == "case T1c"
    assert ui.backendBox.currentText == "ONNX Runtime"
    assert ui.thresholdETSlider.value == 0.25
    assert not ui.thresholdETSlider.enabled
