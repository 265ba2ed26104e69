from __future__ import annotations

import json

import numpy as np
import pytest
from BrainSegAccelLib.panel.questions import Overwrite
from BrainSegAccelLib.study.modality import Modality
from vtkmodules.vtkCommonMath import vtkMatrix4x4


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


def names(slicer) -> list[str]:
    scene = slicer.mrmlScene
    nodes = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())]
    return sorted(node.GetID() for node in nodes)


def test_result_is_shown(four, apply, ui):
    node = apply()
    document = json.loads(node.GetNodeReference("BrainSegAccel.Manifest").GetText())
    stages = list(document["latency"]["stages_ms"])
    assert (stages[0], stages[-1]) == ("read", "write")
    assert ui.segmentsView.segmentationNode() is node
    assert not ui.resultCollapsibleButton.collapsed


def test_worker_gets_what_was_selected(four, apply, ui, worker, widget):
    ui.t1Selector.setCurrentNode(None)
    ui.t2Selector.setCurrentNode(None)
    widget._parameterNode.thresholds = {"WT": 0.3}
    widget._parameterNode.registration = "off"
    apply()
    (request,) = worker.requests
    assert set(request.volumes) == {Modality.T1C, Modality.FLAIR}
    assert request.options.refinement.thresholds == {"WT": 0.3}
    assert request.options.refinement.smallest_lesion_ml is None
    assert request.options.preprocessing.registration == "off"
    assert (request.options.engine.backend, request.options.model) == ("auto", "full")


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
def test_the_users_work_is_not_overwritten_without_a_question(four, apply, ui, answers, answer):
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


def test_volumes_under_different_transforms(four, apply, worker, slicer, answers):
    """Each volume counts where it is in world, and the result goes with its reference."""
    grids = {}
    for modality, shift in ((Modality.T1C, 15.0), (Modality.FLAIR, 40.0)):
        node, matrix = four[modality], vtkMatrix4x4()
        matrix.SetElement(0, 3, shift)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(matrix)
        node.SetOrigin(node.GetOrigin()[0] - shift + 4.0, -20.0, 30.0)
        node.SetAndObserveTransformNodeID(transform.GetID())
        grids[modality] = transform
    node = apply()
    places = {m: volume.affine[:3, 3] for m, volume in worker.requests[-1].volumes.items()}
    np.testing.assert_allclose(places[Modality.FLAIR], places[Modality.T1C])
    np.testing.assert_allclose(places[Modality.T1] - places[Modality.T1C], (4.0, 0.0, 0.0))
    assert node.GetParentTransformNode() is grids[Modality.T1C]


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        (np.diag([1.0, 1.0, 0.0]), "its geometry or its transform is singular"),
        (np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), "its axes are sheared"),
    ],
)
def test_transform_that_cannot_be_followed_is_named(four, apply, ui, slicer, transform, said):
    matrix = vtkMatrix4x4()
    for row, column in np.ndindex(3, 3):
        matrix.SetElement(row, column, transform[row, column])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix)
    four[Modality.T2].SetAndObserveTransformNodeID(node.GetID())
    before = names(slicer)
    assert apply() is None
    assert ui.messageLabel.text.startswith("case T2: ")
    assert said in ui.messageLabel.text
    assert names(slicer) == before
