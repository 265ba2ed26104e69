"""What a run leaves beside its segmentation: tables and the manifest, as nodes of the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slicer import (
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSubjectHierarchyNode,
    vtkMRMLTableNode,
    vtkMRMLTextNode,
)
from vtkmodules.vtkCommonDataModel import vtkTable

from ..manifest.model import Manifest
from ..manifest.write import to_json
from ..study.segmentation import Segmentation
from .contents import Contents
from .tables import fill_table, stage_columns, volume_columns

MANIFEST, VOLUMES, LATENCY = "BrainSegAccel.Manifest", "BrainSegAccel.Volumes", "BrainSegAccel.Ms"
"""Roles under which a segmentation node refers to its manifest and its tables."""


def write_volumes(node: vtkMRMLSegmentationNode, segmentation: Segmentation) -> None:
    """Write volumes by region, segment and lesion into the table of a segmentation node."""
    fill_table(own_node(node, VOLUMES, "vtkMRMLTableNode", "volumes"), volume_columns(segmentation))


def write_stages(node: vtkMRMLSegmentationNode, manifest: Manifest) -> None:
    """Write latency by stage into the table of a segmentation node."""
    table = own_node(node, LATENCY, "vtkMRMLTableNode", "latency")
    fill_table(table, stage_columns(manifest.latency.stages_ms))


def write_manifest(node: vtkMRMLSegmentationNode, manifest: Manifest) -> None:
    """Write the manifest into the text node of a segmentation node, which is saved with it."""
    text = own_node(node, MANIFEST, "vtkMRMLTextNode", "manifest")
    text.SetText(to_json(manifest))


def manifest_text(node: vtkMRMLSegmentationNode | None) -> str:
    """Return the manifest of a segmentation node as JSON; empty if it has none."""
    text: vtkMRMLTextNode | None = node.GetNodeReference(MANIFEST) if node is not None else None
    return (text.GetText() or "") if text is not None else ""


def table_of(node: vtkMRMLSegmentationNode | None, role: str) -> vtkMRMLTableNode | None:
    """Return the table that a segmentation node refers to, if it is there."""
    return node.GetNodeReference(role) if node is not None else None


@dataclass(frozen=True)
class Result:
    """A segmentation node's contents with the manifest and the tables that belong to them."""

    contents: Contents
    manifest: str
    tables: Mapping[str, vtkTable]

    @classmethod
    def of(cls, node: vtkMRMLSegmentationNode) -> Result:
        """Keep what there is now."""
        tables = {}
        for role in (VOLUMES, LATENCY):
            if (table := table_of(node, role)) is not None:
                tables[role] = vtkTable()
                tables[role].DeepCopy(table.GetTable())
        return cls(Contents.of(node), manifest_text(node), tables)

    def put_back(self, node: vtkMRMLSegmentationNode) -> None:
        """Replace what there is; tables and manifest that did not exist become empty."""
        self.contents.put_back(node)
        if (text := node.GetNodeReference(MANIFEST)) is not None:
            text.SetText(self.manifest)
        for role in (VOLUMES, LATENCY):
            if (table := table_of(node, role)) is not None:
                copy = vtkTable()
                copy.DeepCopy(self.tables.get(role, vtkTable()))
                table.SetAndObserveTable(copy)


def put_beside(node: vtkMRMLNode, reference: vtkMRMLScalarVolumeNode | None) -> None:
    """Put a node into the study or folder of the subject hierarchy that its reference lies in."""
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    place = hierarchy.GetItemByDataNode(reference) if reference is not None else 0
    if place:
        # Slicer's application has made an item for the new node by itself; plain MRML has not.
        item = hierarchy.GetItemByDataNode(node)
        parent = hierarchy.GetItemParent(place)
        if item:
            hierarchy.SetItemParent(item, parent)
        else:
            hierarchy.CreateItem(parent, node)


def own_node(node: vtkMRMLSegmentationNode, role: str, kind: str, what: str) -> vtkMRMLNode:
    """Return the node that a segmentation node has in a role, made if there is none.

    :param what: ends the name of a node that is made.
    """
    found = node.GetNodeReference(role)
    if found is None:
        found = node.GetScene().AddNewNodeByClass(kind, f"{node.GetName()} {what}")
        node.SetNodeReferenceID(role, found.GetID())
        put_beside(found, node)
    return found
