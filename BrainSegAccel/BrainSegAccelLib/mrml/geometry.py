"""MRML's matrices and transforms as numpy arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from slicer import vtkMRMLTransformNode
from vtkmodules.vtkCommonMath import vtkMatrix4x4

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""MRML lives in RAS, the library in LPS; the same matrix leads either way."""


def array_from_matrix(matrix: vtkMatrix4x4) -> NDArray[np.float64]:
    """Return the elements of a VTK matrix as (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_from_array(array: NDArray[np.float64]) -> vtkMatrix4x4:
    """Return a VTK matrix with the elements of a (4, 4) array."""
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(array.ravel().tolist())
    return matrix


def linear_to_world(transform: vtkMRMLTransformNode | None) -> NDArray[np.float64] | None:
    """Return the 4x4 from below a transform node to world, RAS mm, all its parents composed.

    :param transform: None stands for no transform, which is the identity.
    :returns: None if any transform on the way is not linear.
    """
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        return None
    matrix = vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return array_from_matrix(matrix)
