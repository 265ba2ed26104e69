from __future__ import annotations

import json

import pytest


@pytest.fixture
def result(four, apply):
    return apply()


def test_surfaces_on_request(result, ui, slicer):
    surface = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    ui.show3DButton.click()
    assert result.GetSegmentation().ContainsRepresentation(surface)
    ui.show3DButton.click()
    assert not result.GetSegmentation().ContainsRepresentation(surface)


def test_way_into_segment_editor(result, ui, slicer, four):
    ui.editButton.click()
    assert slicer.util.selectedModule() == "SegmentEditor"
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    assert editor.segmentation is result
    assert editor.source.GetName() == "case T1c"


def test_manifest_can_be_read_and_written(result, ui, answers, tmp_path):
    ui.viewManifestButton.click()
    assert json.loads(answers.shown[-1])["schema_version"]
    answers.path = str(tmp_path / "out.json")
    ui.exportManifestButton.click()
    assert (tmp_path / "out.json").read_text() == answers.shown[-1]


def test_no_name_no_export(result, ui, answers, tmp_path):
    ui.exportManifestButton.click()
    assert list(tmp_path.iterdir()) == []


def test_view_is_empty_without_a_result(four, ui):
    assert not ui.resultCollapsibleButton.enabled
    assert not ui.viewManifestButton.enabled
    assert ui.summaryLabel.text == ""
