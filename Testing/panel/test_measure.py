from __future__ import annotations

import json

import pytest
from BrainSegAccelLib.mrml.measurements import benchmark_row, put_row
from BrainSegAccelLib.panel.running import timeLeft


@pytest.fixture
def result(four, apply):
    return apply()


def test_benchmark_goes_into_table_manifest_and_chart(result, ui, wait, widget, slicer):
    before = list(result.GetSegmentation().GetSegmentIDs())
    result.GetSegmentation().GetSegment(before[0]).SetName("renamed by the user")
    ui.benchmarkButton.click()
    wait(lambda: not widget.panel.running)
    table = result.GetNodeReference("BrainSegAccel.Benchmark")
    assert table.GetCellText(0, 0) == "onnxruntime fp32 cpu"
    document = json.loads(result.GetNodeReference("BrainSegAccel.Manifest").GetText())
    timing = document["latency"]["model_only"]
    assert timing["iterations"] == 20
    assert table.GetTable().GetValue(0, 1).ToDouble() == timing["p50_ms"]
    assert "20 iterations" in ui.messageLabel.text
    assert result.GetSegmentation().GetSegment(before[0]).GetName() == "renamed by the user"
    assert ui.benchmarkView.mrmlTableNode() is table
    chart = result.GetNodeReference("BrainSegAccel.Chart")
    assert chart.GetNumberOfPlotSeriesNodes() == 4


def test_verification_goes_into_table_and_manifest(result, ui, wait, widget):
    ui.verifyButton.click()
    wait(lambda: not widget.panel.running)
    table = result.GetNodeReference("BrainSegAccel.Quality")
    assert [table.GetColumnName(c) for c in (1, 4)] == ["ΔDice ET", "ΔHD95 ET mm"]
    assert "ΔDice" in ui.messageLabel.text


def test_compare_runs_every_backend_that_can(result, ui, wait, widget, worker, slicer):
    ui.compareButton.click()
    wait(lambda: not widget.panel.running)
    measured = [request for request in worker.requests if request.options.iterations]
    assert [r.options.engine.backend for r in measured] == ["onnxruntime"]
    assert measured[0].options.engine.precision == "fp32"
    chart = result.GetNodeReference("BrainSegAccel.Chart")
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActivePlotChartID() == chart.GetID()


def test_rows_are_replaced_by_configuration_and_stay_exact(slicer):
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    put_row(table, {"configuration": "a", "ms": 123456.789012})
    put_row(table, {"configuration": "b", "ms": 2.0})
    put_row(table, {"configuration": "b", "ms": 3.0})
    values = [table.GetTable().GetValue(row, 1).ToDouble() for row in range(2)]
    assert values == [123456.789012, 3.0]


def test_what_was_not_measured_has_no_row(result, session, worker):
    from BrainSegAccelLib.runs.progress import StageClock

    _, manifest = session.segment(worker.requests[0], StageClock())
    assert benchmark_row(manifest) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "about a second left"), (12.3, "about 12 s left"), (150.0, "about 2 min left")],
)
def test_time_left_is_said_as_a_user_would(seconds, text):
    assert timeLeft(seconds) == text
