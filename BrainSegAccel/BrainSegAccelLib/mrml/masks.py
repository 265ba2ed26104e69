"""A segmentation node as a mask in patient space."""

from __future__ import annotations

import numpy as np
from slicer import vtkMRMLSegmentationNode, vtkOrientedImageData
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..errors import InputError
from ..geometry.volume import Volume
from .geometry import RAS_FROM_LPS, array_from_matrix, linear_to_world


def mask_from_node(node: vtkMRMLSegmentationNode) -> Volume:
    """Return 1 where any segment is, 0 elsewhere, on the smallest grid that holds all segments.

    :returns: float32 (k, j, i), affine to LPS mm of world, the node's parent transforms included.
    :raises InputError: there is nothing in it; it is under a non-linear transform.
    """
    name = node.GetName() or ""
    to_world = linear_to_world(node.GetParentTransformNode())
    if to_world is None:
        raise InputError(
            "is under a non-linear transform", where=name, remedy="harden the transform"
        )
    merged = vtkOrientedImageData()
    content = node.GetSegmentation()
    found = content.GetNumberOfSegments() and node.GenerateMergedLabelmapForAllSegments(
        merged, content.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS
    )
    if not found or min(merged.GetDimensions()) < 1:
        raise InputError("has nothing in it", where=name, remedy="select another one, or none")
    voxels = vtk_to_numpy(merged.GetPointData().GetScalars())
    array = (voxels.reshape(merged.GetDimensions()[::-1]) > 0).astype(np.float32)
    matrix, extent = vtkMatrix4x4(), merged.GetExtent()
    merged.GetImageToWorldMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = extent[::2]
    return Volume(array, RAS_FROM_LPS @ to_world @ array_from_matrix(matrix) @ first, name)
