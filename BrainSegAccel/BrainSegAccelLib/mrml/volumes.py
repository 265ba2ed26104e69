"""Volume nodes in: volumes in the patient space that the user sees."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np
from slicer import vtkMRMLScalarVolumeNode
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkCommonTransforms import vtkGeneralTransform

from ..errors import InputError
from ..geometry.volume import Volume
from ..study.modality import Modality
from .geometry import RAS_FROM_LPS, array_from_matrix, linear_to_world

_MAX_SHEAR = 1e-3
"""Cosine between two axes above which a grid counts as sheared; headers round to about 1e-4."""
_STEP_BYTES = 1 << 22


def check_selection(nodes: Mapping[Modality, vtkMRMLScalarVolumeNode]) -> None:
    """Check that volumes are selected, and each for one modality only.

    :raises InputError: no node at all, or one node for two modalities.
    """
    if not nodes:
        raise InputError("no input volume", remedy="give at least one of T1, T1c, T2 and FLAIR")
    selected: dict[vtkMRMLScalarVolumeNode, Modality] = {}
    for modality, node in nodes.items():
        other = selected.setdefault(node, modality)
        if other is not modality:
            raise InputError(
                f"selected as both {other.label} and {modality.label}",
                where=node.GetName() or "",
                remedy="select another volume or none for one of them",
            )


def volume_from_node(node: vtkMRMLScalarVolumeNode) -> Volume:
    """Copy a volume node's voxels and its place in world, parent transforms included.

    Linear parents are composed into the affine exactly. Under a non-linear parent the voxels are
    interpolated onto a grid of the same spacing in world, as hardening would do; the node itself
    and the scene stay as they are.

    :returns: float32 (k, j, i), affine to LPS mm of world.
    :raises InputError: no voxels, not one 3-D scalar image, a singular or a sheared grid.
    """
    steps = read_in_steps(node)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def read_in_steps(node: vtkMRMLScalarVolumeNode) -> Generator[None, None, Volume]:
    """Do what `volume_from_node` does in steps of a few milliseconds, for a window to live.

    :raises InputError: also if the voxels change between two steps.
    """
    name = node.GetName() or ""
    _check_image(node, name)
    to_world = linear_to_world(node.GetParentTransformNode())
    if to_world is None:
        node = _hardened(node)
        to_world = np.eye(4)
    ijk_to_ras = vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijk_to_ras)
    affine = RAS_FROM_LPS @ to_world @ array_from_matrix(ijk_to_ras)
    _check_axes(affine, name)
    image = node.GetImageData()
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    array, before = np.empty(voxels.shape, np.float32), image.GetMTime()
    planes = max(1, _STEP_BYTES // array[0].nbytes)
    for first in range(0, len(array), planes):
        some = slice(first, first + planes)
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, which a `Study` refuses
            array[some] = voxels[some]
        yield
        if image.GetMTime() != before:
            raise InputError("changed while it was read", where=name, remedy="run again")
    return Volume(array, affine, name)


class VolumeReader:
    """Reads volume nodes, and those that have not changed since only once.

    It remembers the last few, as many as a study has. A node under a non-linear transform is read
    every time.
    """

    def __init__(self) -> None:
        self._read: dict[str, tuple[tuple[object, ...], Volume]] = {}

    def read_in_steps(self, node: vtkMRMLScalarVolumeNode) -> Generator[None, None, Volume]:
        """See `read_in_steps`. The volume is the same object as last time if nothing changed."""
        known, state = self._read.pop(node.GetID(), None), _state(node)
        if known is not None and state is not None and known[0] == state:
            volume = known[1]
        else:
            volume = yield from read_in_steps(node)
        if state is not None:
            self._read[node.GetID()] = state, volume
            for oldest in list(self._read)[: -len(Modality)]:
                del self._read[oldest]
        return volume

    def forget(self) -> None:
        """Let go of everything, because the scene is being closed."""
        self._read.clear()


def _state(node: vtkMRMLScalarVolumeNode) -> tuple[object, ...] | None:
    """Return what a volume is read from, to compare; None where that cannot be told."""
    to_world, image = linear_to_world(node.GetParentTransformNode()), node.GetImageData()
    if to_world is None or image is None:
        return None
    ijk_to_ras = vtkMatrix4x4()
    node.GetIJKToRASMatrix(ijk_to_ras)
    place = to_world @ array_from_matrix(ijk_to_ras)
    # VTK counts modifications of all objects together: no other image has this number.
    return image.GetMTime(), node.GetName(), place.tobytes()


def _check_image(node: vtkMRMLScalarVolumeNode, name: str) -> None:
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputError("has no voxels", where=name, remedy="load the volume again")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"has {image.GetNumberOfScalarComponents()} values per voxel",
            where=name,
            remedy="select a scalar volume",
        )
    if min(image.GetDimensions()) < 2:
        raise InputError(
            f"2-D image ({' x '.join(map(str, image.GetDimensions()))})",
            where=name,
            remedy="select a three-dimensional volume",
        )


def _check_axes(affine: np.ndarray, name: str) -> None:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not lengths.all():
        raise InputError(
            "its geometry or its transform is singular",
            where=name,
            remedy="repair the transform or the volume's IJK to RAS matrix",
        )
    axes = affine[:3, :3] / lengths
    shear = np.abs(axes.T @ axes - np.eye(3)).max()
    if shear > _MAX_SHEAR:
        raise InputError(
            f"its axes are sheared by {np.degrees(np.arcsin(min(shear, 1.0))):.1f} degrees",
            where=name,
            remedy="resample it with the Resample Scalar/Vector/DWI Volume module "
            "or put it under a rigid transform",
        )


def _hardened(node: vtkMRMLScalarVolumeNode) -> vtkMRMLScalarVolumeNode:
    """Return a copy in world that no scene knows, interpolated through the node's transform."""
    copy = vtkMRMLScalarVolumeNode()
    copy.CopyContent(node, False)
    to_world = vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformToWorld(to_world)
    copy.ApplyTransform(to_world)
    return copy
