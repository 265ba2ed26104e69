from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def patients(slicer, add_volume):
    """Three patients: usable, unusable, usable."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for name, array in (("A", None), ("B", np.zeros((30, 40, 28), "f4")), ("C", None)):
        item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), name)
        for sequence in ("T1c", "FLAIR"):
            hierarchy.CreateItem(item, add_volume(f"{name} {sequence}", array))
    return hierarchy


def outcomes(ui) -> list[str]:
    return [ui.batchView.item(row, 2).text() for row in range(ui.batchView.rowCount)]


def test_one_failure_does_not_stop_the_rest(patients, ui, wait, widget, slicer):
    assert not ui.batchButton.enabled
    ui.findStudiesButton.click()
    assert ui.batchView.rowCount == 3
    ui.batchButton.click()
    wait(lambda: not widget.panel.running)
    done, failed, also_done = outcomes(ui)
    assert (done, also_done) == ("done", "done")
    assert "every voxel is 0" in failed
    assert ui.messageLabel.text == "2 of 3 studies segmented, 1 without a result."
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [node.GetName() for node in nodes] == ["A T1c tumour", "C T1c tumour"]
    for node, patient in zip(nodes, ("A", "C"), strict=True):
        parent = patients.GetItemParent(patients.GetItemByDataNode(node))
        assert patients.GetItemName(parent) == patient
    table = widget._parameterNode.batchTable
    assert [table.GetCellText(row, 0) for row in range(3)] == ["A", "B", "C"]
    assert table.GetColumnName(3) == "whole tumour ml"
    assert float(table.GetCellText(0, 3)) >= 0.0
    assert table.GetCellText(1, 3) == ""


def test_batch_can_be_cancelled(patients, ui, wait, widget, worker, slicer):
    ui.findStudiesButton.click()
    worker.hold = True
    ui.batchButton.click()
    wait(lambda: "1 of 3" in ui.stageLabel.text)
    ui.cancelButton.click()
    wait(lambda: not widget.panel.running)
    assert outcomes(ui) == ["cancelled", "", ""]
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_scene_closed_during_a_batch(patients, ui, wait, widget, worker, slicer):
    ui.findStudiesButton.click()
    worker.hold = True
    ui.batchButton.click()
    wait(lambda: "1 of 3" in ui.stageLabel.text)
    slicer.mrmlScene.Clear(False)
    worker.hold = False
    wait(lambda: not worker.tasks)
    assert not widget.panel.running
    assert ui.batchView.rowCount == 0
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
