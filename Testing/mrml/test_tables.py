from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.mrml.tables import chart_of, fill_table, stage_columns, volume_columns
from BrainSegAccelLib.study.label_scheme import Region
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR, label, scheme


def two_lesions() -> Segmentation:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[1:5, 1:5, 1:5] = 2
    labels[2, 2, 2:4] = 3
    labels[10:18, 10:18, 10:18] = 2
    labels[12:14, 12:14, 12:14] = 1
    return Segmentation(labels, Grid((20, 20, 20), np.diag([1.0, 1.0, 2.0, 1.0])), TUMOUR.scheme)


def test_volumes_of_all_and_of_each_lesion():
    columns = volume_columns(two_lesions())
    assert columns["part"] == ["all", "lesion 1", "lesion 2"]
    assert columns["whole tumour ml"] == pytest.approx([1.152, 1.024, 0.128])
    assert columns["tumour core ml"] == pytest.approx([0.020, 0.016, 0.004])
    assert columns["enhancing tumour ml"] == pytest.approx([0.004, 0.0, 0.004])
    assert columns["necrotic core ml"] == pytest.approx([0.016, 0.016, 0.0])
    assert columns["oedema ml"] == pytest.approx([1.132, 1.008, 0.124])


def test_no_tumour_is_a_row_of_zeros():
    labels = np.zeros((4, 4, 4), np.uint8)
    columns = volume_columns(Segmentation(labels, Grid((4, 4, 4), np.eye(4)), TUMOUR.scheme))
    assert columns["part"] == ["all"]
    assert columns["whole tumour ml"] == [0.0]


def test_table_node_keeps_texts_and_numbers(scene, tmp_path):
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    fill_table(node, {"old": [1.0]})
    fill_table(node, stage_columns({"read": 10.0, "network": 90.04}))
    assert [node.GetColumnName(c) for c in range(node.GetNumberOfColumns())] == ["stage", "ms"]
    assert [node.GetCellText(row, 0) for row in range(3)] == ["read", "network", "total"]
    assert [float(node.GetCellText(row, 1)) for row in range(3)] == [10.0, 90.0, 100.0]


def test_chart_shows_every_column_and_is_drawn_anew(scene):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    fill_table(table, {"backend": ["a", "b"], "p50 ms": [1.0, 2.0], "p95 ms": [2.0, 3.0]})
    chart = chart_of(scene, None, table, "Latency", "ms")
    chart = chart_of(scene, chart, table, "Latency", "ms")
    series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [s.GetYColumnName() for s in series] == ["p50 ms", "p95 ms"]
    assert {s.GetLabelColumnName() for s in series} == {"backend"}
    assert scene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == 2


def test_a_label_that_is_a_region_is_shown_once_and_names_do_not_hide_one_another():
    labels = (label(1, "dead", "Core"), label(2, "cavity", "Cavity"))
    regions = (
        Region(identifier="core", name="core", labels=(1, 2)),
        Region(identifier="hole", name="cavity of resection", labels=(2,), parent="core"),
    )
    values = np.zeros((4, 4, 4), np.uint8)
    values[0, 0, :3] = [1, 1, 2]
    columns = volume_columns(
        Segmentation(
            values, Grid((4, 4, 4), np.diag([10.0, 10.0, 10.0, 1.0])), scheme(labels, regions)
        )
    )
    assert {name: values[0] for name, values in columns.items()} == {
        "part": "all",
        "core ml": 3.0,
        "cavity of resection ml": 1.0,
        "core, label 1 ml": 2.0,
    }
