"""What a segmentation node holds: kept for undo, and told apart from what the user made of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from slicer import (
    vtkMRMLSegmentationNode,
    vtkMRMLTransformNode,
    vtkMRMLVolumeNode,
    vtkSegment,
    vtkSegmentationConverter,
)
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..geometry.bounding_box import bounding_box
from .geometry import array_from_matrix

_BINARY = vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
_OURS = "BrainSegAccel.Content"
"""Attribute of a segmentation node that holds the digest of what this module put into it."""


@dataclass(frozen=True)
class Contents:
    """Everything that a run replaces in a segmentation node; the voxels are shared, not copied.

    :param source: name of the representation that the segments are edited in.
    :param ours: digest that the node carried.
    """

    segments: tuple[tuple[str, vtkSegment], ...]
    source: str
    transform: vtkMRMLTransformNode | None
    reference: vtkMRMLVolumeNode | None
    ours: str | None

    @classmethod
    def of(cls, node: vtkMRMLSegmentationNode) -> Contents:
        """Keep what a node holds now."""
        content = node.GetSegmentation()
        role = node.GetReferenceImageGeometryReferenceRole()
        return cls(
            tuple((i, content.GetSegment(i)) for i in content.GetSegmentIDs()),
            content.GetSourceRepresentationName(),
            node.GetParentTransformNode(),
            node.GetNodeReference(role),
            node.GetAttribute(_OURS),
        )

    def put_back(self, node: vtkMRMLSegmentationNode) -> None:
        """Replace what a node holds. Nodes that have left the scene meanwhile are left out."""
        scene = node.GetScene()
        transform, reference = (
            other if other is not None and scene.IsNodePresent(other) else None
            for other in (self.transform, self.reference)
        )
        modifying = node.StartModify()
        try:
            content = node.GetSegmentation()
            content.RemoveAllSegments()
            content.SetSourceRepresentationName(self.source)
            for identifier, segment in self.segments:
                content.AddSegment(segment, identifier)
            node.SetAndObserveTransformNodeID(transform.GetID() if transform else None)
            role = node.GetReferenceImageGeometryReferenceRole()
            node.SetNodeReferenceID(role, reference.GetID() if reference else None)
            node.SetAttribute(_OURS, self.ours)
        finally:
            node.EndModify(modifying)


def sign(node: vtkMRMLSegmentationNode) -> None:
    """Remember that what a node holds now was put there by this module, also in a saved scene."""
    node.SetAttribute(_OURS, digest(node))


def edited_by_the_user(node: vtkMRMLSegmentationNode) -> bool:
    """Tell whether a node holds anything that this module did not put there as it is."""
    if node.GetSegmentation().GetNumberOfSegments() == 0:
        return False
    return node.GetAttribute(_OURS) != digest(node)


def stamp(node: vtkMRMLSegmentationNode) -> int:
    """Return a number that grows whenever segments change; in this session only, but at once."""
    content = node.GetSegmentation()
    segments = [content.GetSegment(identifier) for identifier in content.GetSegmentIDs()]
    images = [segment.GetRepresentation(_BINARY) for segment in segments]
    return max(thing.GetMTime() for thing in (content, *segments, *filter(None, images)))


def digest(node: vtkMRMLSegmentationNode) -> str:
    """Return SHA-256 over names, voxels and their places, which saving and loading leave alone.

    Storage crops and pads label maps; what is hashed is the smallest box around each segment.
    """
    content = node.GetSegmentation()
    total = hashlib.sha256(content.GetSourceRepresentationName().encode())
    for identifier in content.GetSegmentIDs():
        segment = content.GetSegment(identifier)
        total.update(f"{identifier}\n{segment.GetName()}\n".encode())
        image = segment.GetRepresentation(_BINARY)
        if image is None or image.GetPointData().GetScalars() is None:
            continue
        voxels = vtk_to_numpy(image.GetPointData().GetScalars())
        mask = voxels.reshape(image.GetDimensions()[::-1]) == segment.GetLabelValue()
        box = bounding_box(mask)
        if box is None:
            continue
        to_world = vtkMatrix4x4()
        image.GetImageToWorldMatrix(to_world)
        extent = image.GetExtent()
        first = [box[2].start + extent[0], box[1].start + extent[2], box[0].start + extent[4], 1]
        corner = np.round(array_from_matrix(to_world) @ first, 2) + 0.0
        total.update(f"{mask[box].shape} {corner.tolist()}\n".encode())
        total.update(np.packbits(mask[box]).tobytes())
    return total.hexdigest()
