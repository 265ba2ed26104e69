"""Rigid motions of patient space as 4x4 matrices in LPS mm, and as ITK's transforms."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def transform_of(matrix: Matrix, centre: NDArray[np.float64]) -> sitk.Euler3DTransform:
    """Return ITK's transform of a rigid matrix, its rotation about a centre (3,) in LPS mm."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist(), 1e-5)
    transform.SetTranslation((matrix[:3, :3] @ centre + matrix[:3, 3] - centre).tolist())
    return transform


def matrix_of(transform: sitk.Euler3DTransform) -> Matrix:
    """Return the 4x4 matrix of ITK's transform, to 1e-10: what is below differs from run to run."""
    rotation = np.reshape(transform.GetMatrix(), (3, 3))
    centre = np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = centre + transform.GetTranslation() - rotation @ centre
    return np.round(matrix, 10)


def turned_degrees(matrix: Matrix) -> float:
    """Return the angle of the rotation, 0 to 180."""
    return float(np.degrees(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1.0) / 2.0, -1.0, 1.0))))


def moved_mm(matrix: Matrix, point: NDArray[np.float64]) -> float:
    """Return how far a point (3,) in LPS mm is moved."""
    return float(np.linalg.norm(matrix[:3, :3] @ point + matrix[:3, 3] - point))
