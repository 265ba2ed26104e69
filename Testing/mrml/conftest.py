"""A MRML scene as Slicer's application would set it up, on slicer-core and without a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4


@pytest.fixture
def scene() -> Iterator[slicer.vtkMRMLScene]:
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    colours = slicer.vtkMRMLColorLogic()
    colours.SetMRMLScene(scene)
    colours.AddDefaultColorNodes()
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
    segmentations.SetMRMLApplicationLogic(application)
    segmentations.SetMRMLScene(scene)
    application.SetModuleLogic("Segmentations", segmentations)
    yield scene
    scene.Clear(True)


@pytest.fixture
def add_volume(scene) -> Callable[..., slicer.vtkMRMLScalarVolumeNode]:
    """Return ``add(array, ijk_to_ras, name)``, which adds a scalar volume node to the scene."""

    def add(array: np.ndarray, ijk_to_ras: np.ndarray, name: str = "T1c"):
        image = vtkImageData()
        image.SetDimensions(array.shape[2::-1])
        flat = array.reshape(-1, *array.shape[3:])
        image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.SetAndObserveImageData(image)
        node.SetIJKToRASMatrix(vtk_matrix(ijk_to_ras))
        return node

    return add


@pytest.fixture
def put_under(scene) -> Callable[..., slicer.vtkMRMLLinearTransformNode]:
    """Return ``put(node, matrix)``, which puts a node under a new linear transform."""

    def put(node, matrix: np.ndarray):
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(vtk_matrix(matrix))
        node.SetAndObserveTransformNodeID(transform.GetID())
        return transform

    return put


@pytest.fixture
def bend(scene) -> Callable[..., None]:
    """Return ``bend(node, shift)``: a non-linear transform that moves the node by -shift RAS mm."""

    def put(node, shift: tuple[float, float, float]) -> None:
        image = vtkImageData()
        image.SetDimensions(2, 2, 2)
        image.SetSpacing(100, 100, 100)
        image.GetPointData().SetScalars(numpy_to_vtk(np.tile(shift, (8, 1)), deep=True))
        grid = slicer.vtkOrientedGridTransform()
        grid.SetDisplacementGridData(image)
        transform = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
        transform.SetAndObserveTransformFromParent(grid)
        node.SetAndObserveTransformNodeID(transform.GetID())

    return put


def vtk_matrix(array: np.ndarray) -> vtkMatrix4x4:
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=float).ravel().tolist())
    return matrix
