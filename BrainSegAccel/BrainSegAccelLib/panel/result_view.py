"""The result in the panel: segments, volumes, manifest, and ways on from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import slicer
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _

from ..io.atomic import atomic_write
from ..mrml.measurements import BENCHMARK, CHART, QUALITY
from ..mrml.results import LATENCY, VOLUMES, manifest_text, table_of
from ..mrml.segmentation import has_surface
from .choices import displayName
from .questions import Questions


class ResultView:
    """Shows what a segmentation node holds and refers to.

    :param ui: has the widgets of the result section.
    """

    def __init__(self, ui: Any, questions: Questions) -> None:
        self._ui = ui
        self._questions = questions
        self._node: vtkMRMLSegmentationNode | None = None
        ui.show3DButton.toggled.connect(self._onShow3D)
        ui.editButton.clicked.connect(self._onEdit)
        ui.viewManifestButton.clicked.connect(self._onViewManifest)
        ui.exportManifestButton.clicked.connect(self._onExportManifest)

    def show(self, node: vtkMRMLSegmentationNode | None) -> None:
        """Show a node, or that there is none."""
        self._node = node
        ui = self._ui
        filled = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
        ui.resultCollapsibleButton.enabled = filled
        if filled and ui.resultCollapsibleButton.collapsed:
            ui.resultCollapsibleButton.collapsed = False
        ui.segmentsView.setSegmentationNode(node)
        for view, role in (
            (ui.volumesView, VOLUMES),
            (ui.latencyView, LATENCY),
            (ui.benchmarkView, BENCHMARK),
            (ui.qualityView, QUALITY),
        ):
            table = table_of(node, role)
            view.setMRMLTableNode(table)
            view.verticalHeader().setVisible(False)
            view.resizeColumnsToContents()
            view.visible = table is not None
        manifest = manifest_text(node)
        ui.summaryLabel.text = _summary(manifest)
        ui.viewManifestButton.enabled = ui.exportManifestButton.enabled = bool(manifest)
        blocked = ui.show3DButton.blockSignals(True)
        ui.show3DButton.checked = filled and has_surface(node)
        ui.show3DButton.blockSignals(blocked)

    def showChart(self) -> None:
        """Show the chart of the measured backends in a layout with a plot view."""
        chart = self._node.GetNodeReference(CHART) if self._node is not None else None
        if chart is None:
            return
        layouts = slicer.app.layoutManager()
        if layouts is not None:
            layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetActivePlotChartID(chart.GetID())
        logic.PropagatePlotChartSelection()

    def _onShow3D(self, shown: bool) -> None:
        if self._node is None:
            return
        with slicer.util.WaitCursor(True):
            if shown:
                self._node.CreateClosedSurfaceRepresentation()
            else:
                self._node.RemoveClosedSurfaceRepresentation()

    def _onEdit(self) -> None:
        if self._node is None:
            return
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(self._node)
        role = self._node.GetReferenceImageGeometryReferenceRole()
        if (reference := self._node.GetNodeReference(role)) is not None:
            editor.setSourceVolumeNode(reference)

    def _onViewManifest(self) -> None:
        self._questions.show(_("Manifest"), manifest_text(self._node))

    def _onExportManifest(self) -> None:
        if self._node is None:
            return
        suggestion = f"{self._node.GetName()}.manifest.json"
        chosen = self._questions.saveAs(_("Export manifest"), suggestion, "JSON (*.json)")
        if chosen:
            with (
                slicer.util.tryWithErrorDisplay(_("The manifest could not be written.")),
                atomic_write(Path(chosen)) as beside,
            ):
                beside.write_text(manifest_text(self._node), encoding="utf-8")


def _summary(manifest: str) -> str:
    """Return the result in a line; empty if there is no manifest."""
    if not manifest:
        return ""
    document = json.loads(manifest)
    output = document["outputs"][0]
    # A manifest of 1.0, in an older scene, has the regions' identifiers only.
    named = output.get("regions") or {name: {"name": name} for name in output["thresholds"]}
    regions = ", ".join(
        f"{region['name']} {output['volumes_ml'][identifier]:.1f} ml"
        for identifier, region in reversed(named.items())
    )
    runtime = document["runtime"]
    return _("{regions}. {seconds:.1f} s with {backend} {precision}.").format(
        regions=regions[:1].upper() + regions[1:],
        seconds=document["latency"]["total_ms"] / 1000,
        backend=displayName(runtime["backend"]),
        precision=displayName(document["precision"]["engine"]),
    )
