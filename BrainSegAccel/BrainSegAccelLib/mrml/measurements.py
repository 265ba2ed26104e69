"""Benchmarks and comparisons with the FP32 reference, as tables of a segmentation node."""

from __future__ import annotations

from collections.abc import Mapping

from slicer import vtkMRMLPlotChartNode, vtkMRMLSegmentationNode, vtkMRMLTableNode

from ..manifest.model import Manifest
from .results import own_node
from .tables import chart_of, fill_table

BENCHMARK, QUALITY = "BrainSegAccel.Benchmark", "BrainSegAccel.Quality"
CHART = "BrainSegAccel.Chart"

Row = Mapping[str, str | float]
"""One row of a table by column; the first column names the configuration."""


def configuration(manifest: Manifest) -> str:
    """Return what ran in a few words, e.g. ``openvino fp32 cpu``."""
    runtime = manifest.runtime
    return f"{runtime.backend} {manifest.precision.engine} {runtime.device}"


def benchmark_row(manifest: Manifest) -> Row | None:
    """Return percentiles in ms, the network alone and end to end; None if nothing was timed."""
    model, whole = manifest.latency.model_only, manifest.latency.end_to_end
    values = {
        "network p50 ms": model.p50_ms,
        "network p95 ms": model.p95_ms,
        "end to end p50 ms": whole.p50_ms,
        "end to end p95 ms": whole.p95_ms,
    }
    known = {name: value for name, value in values.items() if value is not None}
    return {"configuration": configuration(manifest), **known} if known == values else None


def quality_row(manifest: Manifest) -> Row | None:
    """Return what the run lost against the FP32 reference; None if it was not verified."""
    retention = manifest.quality_retention
    if retention.delta_dice is None or retention.delta_hd95_mm is None:
        return None
    row: dict[str, str | float] = {"configuration": configuration(manifest)}
    row |= {f"ΔDice {region}": value for region, value in retention.delta_dice.items()}
    row |= {f"ΔHD95 {region} mm": value for region, value in retention.delta_hd95_mm.items()}
    return row


def write_measurements(node: vtkMRMLSegmentationNode, manifest: Manifest) -> None:
    """Add what a run measured to the tables of a segmentation node, and draw the benchmarks."""
    if (row := benchmark_row(manifest)) is not None:
        table = own_node(node, BENCHMARK, "vtkMRMLTableNode", "benchmark")
        put_row(table, row)
        chart: vtkMRMLPlotChartNode | None = node.GetNodeReference(CHART)
        chart = chart_of(node.GetScene(), chart, table, f"{node.GetName()}: latency", "ms")
        node.SetNodeReferenceID(CHART, chart.GetID())
    if (row := quality_row(manifest)) is not None:
        put_row(own_node(node, QUALITY, "vtkMRMLTableNode", "quality"), row)


def put_row(table: vtkMRMLTableNode, row: Row) -> None:
    """Replace the row of the same configuration, or add one.

    A table of other columns, e.g. of a model with other regions, begins anew.
    """
    first, *others = row
    rows: dict[str, Row] = {}
    cells = table.GetTable()
    same = [cells.GetColumnName(index) for index in range(cells.GetNumberOfColumns())] == list(row)
    for index in range(cells.GetNumberOfRows() if same else 0):
        rows[cells.GetValue(index, 0).ToString()] = {
            other: cells.GetValue(index, column).ToDouble()
            for column, other in enumerate(others, 1)
        }
    rows[str(row[first])] = {other: row[other] for other in others}
    columns: dict[str, list] = {first: list(rows)}
    columns |= {other: [values[other] for values in rows.values()] for other in others}
    fill_table(table, columns)
