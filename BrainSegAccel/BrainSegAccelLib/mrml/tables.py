"""Tables and a chart of a result, as nodes of the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slicer import vtkMRMLPlotChartNode, vtkMRMLPlotSeriesNode, vtkMRMLScene, vtkMRMLTableNode
from vtkmodules.vtkCommonCore import (
    vtkAbstractArray,
    vtkDoubleArray,
    vtkStringArray,
    vtkVariant,
)

from ..postprocessing.lesions import lesions
from ..study.segmentation import Segmentation

Columns = Mapping[str, Sequence[str] | Sequence[float]]


def volume_columns(segmentation: Segmentation) -> Columns:
    """Return millilitres of every region and label: a row for all, and one for each lesion.

    A label that is a region by itself is shown once.
    """
    parts = {"all": segmentation}
    parts |= {f"lesion {number}": part for number, part in enumerate(lesions(segmentation), 1)}
    scheme = segmentation.scheme
    shown = {region.name: region.labels for region in scheme.outermost_first()}
    alone = {region.labels for region in scheme.regions}
    rest = [label for label in scheme.labels if (label.value,) not in alone]
    for label in rest:
        name = label.name.lower()
        shown[name if name not in shown else f"{name}, label {label.value}"] = (label.value,)
    columns = {
        f"{name} ml": [round(part.volume_ml(values), 3) for part in parts.values()]
        for name, values in shown.items()
    }
    return {"part": list(parts), **columns}


def stage_columns(stages_ms: Mapping[str, float]) -> Columns:
    """Return the wall time of every stage and their sum."""
    rows = {**stages_ms, "total": sum(stages_ms.values())}
    return {"stage": list(rows), "ms": [round(value, 1) for value in rows.values()]}


def fill_table(node: vtkMRMLTableNode, columns: Columns) -> None:
    """Replace everything in a table node; texts stay texts, numbers become doubles."""
    modifying = node.StartModify()
    try:
        node.RemoveAllColumns()
        for name, values in columns.items():
            texts = any(isinstance(value, str) for value in values)
            array: vtkAbstractArray = vtkStringArray() if texts else vtkDoubleArray()
            array.SetName(name)
            for value in values:
                array.InsertVariantValue(array.GetNumberOfValues(), vtkVariant(value))
            node.AddColumn(array)
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)
    finally:
        node.EndModify(modifying)


def chart_of(
    scene: vtkMRMLScene,
    chart: vtkMRMLPlotChartNode | None,
    table: vtkMRMLTableNode,
    title: str,
    unit: str,
) -> vtkMRMLPlotChartNode:
    """Return a bar chart of a table: its first column names the bars, the others are their heights.

    :param chart: is drawn anew; None adds one to the scene.
    """
    if chart is None:
        chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", title)
    for index in reversed(range(chart.GetNumberOfPlotSeriesNodes())):
        scene.RemoveNode(chart.GetNthPlotSeriesNode(index))
    chart.RemoveAllPlotSeriesNodeIDs()
    labels = table.GetColumnName(0)
    for index in range(1, table.GetNumberOfColumns()):
        name = table.GetColumnName(index)
        series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(vtkMRMLPlotSeriesNode.PlotTypeBar)
        series.SetLabelColumnName(labels)
        series.SetYColumnName(name)
        series.SetUniqueColor()
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(title)
    chart.SetYAxisTitle(unit)
    return chart
