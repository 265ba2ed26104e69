from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.mrml.segmentation import has_surface
from vtkmodules.util.numpy_support import vtk_to_numpy


def tumour_voxels(node) -> int:
    content = node.GetSegmentation()
    image = content.GetNthSegment(0).GetRepresentation("Binary labelmap")
    return int(np.count_nonzero(vtk_to_numpy(image.GetPointData().GetScalars())))


@pytest.fixture
def result(four, apply):
    return apply()


@pytest.fixture
def settle(slicer, wait):
    import time

    def settle() -> None:
        until = time.monotonic() + 0.6
        wait(lambda: time.monotonic() > until)

    return settle


def test_sliders_wait_for_a_run(four, ui, slider):
    assert not slider("WT").enabled
    assert ui.refineHint.text.startswith("Press Apply first")


def test_sliders_label_again(ui, result, widget, settle, worker, slider):
    assert slider("WT").enabled
    before = tumour_voxels(result)
    slider("WT").value = 0.95
    settle()
    assert tumour_voxels(result) < before
    table = result.GetNodeReference("BrainSegAccel.Volumes")
    voxels = tumour_voxels(result)
    assert float(table.GetCellText(0, 1)) == pytest.approx(voxels / 1000, abs=1e-3)
    assert '"volumes_ml"' in result.GetNodeReference("BrainSegAccel.Manifest").GetText()
    ui.resetButton.click()
    settle()
    assert tumour_voxels(result) == before
    assert len(worker.requests) == 1


def test_surface_waits_until_the_sliders_rest(ui, result, slicer, settle, answers, slider):
    ui.show3DButton.click()
    for value in (0.3, 0.9):
        slider("WT").value = value
        slicer.app.processEvents()
        assert not has_surface(result)
    settle()
    assert has_surface(result)
    slider("WT").value = 0.5
    settle()
    assert has_surface(result)
    assert answers.asked == []


def test_smallest_lesion(ui, result, settle, slider):
    slider("smallestLesion").value = 5.0
    settle()
    parts = result.GetNodeReference("BrainSegAccel.Volumes").GetNumberOfRows() - 1
    assert parts <= 1
    for row in range(1, parts + 1):
        table = result.GetNodeReference("BrainSegAccel.Volumes")
        assert float(table.GetCellText(row, 1)) >= 5.0


def test_many_moves_in_a_row_are_one_labelling(ui, result, settle, slicer, slider):
    seen = []
    result.AddObserver(slicer.vtkSegmentation.SegmentAdded, lambda *_: seen.append(1))
    for value in np.linspace(0.1, 0.9, 30):
        slider("WT").value = float(value)
    settle()
    assert 1 <= len(seen) <= 3


@pytest.mark.parametrize("discard", [False, True])
def test_edits_are_only_replaced_after_a_question(ui, result, settle, answers, discard, slider):
    result.GetSegmentation().AddEmptySegment("mine", "By hand")
    answers.discarding = discard
    slider("WT").value = 0.9
    settle()
    assert answers.asked == [result.GetName()]
    assert ("mine" in result.GetSegmentation().GetSegmentIDs()) is not discard
    if discard:
        ui.undoButton.click()
        assert "mine" in result.GetSegmentation().GetSegmentIDs()


def test_our_own_labels_are_replaced_without_a_question(ui, result, settle, answers, slider):
    for value in (0.9, 0.2):
        slider("WT").value = value
        settle()
    assert answers.asked == []


def test_segmentation_deleted_while_the_sliders_rest(ui, result, slicer, settle, slider):
    slider("WT").value = 0.9
    slicer.mrmlScene.RemoveNode(result)
    settle()
    assert not slider("WT").enabled


def test_run_inside_a_region(ui, result, slicer, wait, widget, worker):
    assert not ui.roiRunButton.enabled
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    ui.roiSelector.setCurrentNode(roi)
    ui.roiRunButton.click()
    assert "not placed" in ui.messageLabel.text
    bounds = [0.0] * 6
    widget._parameterNode.t1c.GetRASBounds(bounds)
    centre = np.array(bounds).reshape(3, 2).mean(axis=1)
    roi.SetCenter(*centre)
    roi.SetSize(8.0, 8.0, 8.0)
    ui.roiRunButton.click()
    wait(lambda: not widget.panel.running)
    request = worker.requests[-1]
    np.testing.assert_allclose(request.options.roi.centre, centre * (-1, -1, 1))
    assert request.options.base is not None
    assert ui.undoButton.enabled
