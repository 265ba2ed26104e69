"""A markups ROI as a box in patient space."""

from __future__ import annotations

import numpy as np
from slicer import vtkMRMLMarkupsROINode

from ..errors import InputError
from ..geometry.roi import Roi
from .geometry import RAS_FROM_LPS, array_from_matrix


def roi_from_node(node: vtkMRMLMarkupsROINode) -> Roi:
    """Return the box that the user placed, with its rotation and its parent transforms.

    :raises InputError: it was not placed yet, or has no volume.
    """
    size = np.array(node.GetSize(), dtype=float)
    if node.GetNumberOfDefinedControlPoints() == 0 or not (size > 0).all():
        raise InputError(
            "the region of interest is not placed",
            where=node.GetName() or "",
            remedy="draw it in a slice view, or select none",
        )
    to_world = RAS_FROM_LPS @ array_from_matrix(node.GetObjectToWorldMatrix())
    return Roi(to_world @ np.diag([*size, 1.0]))
