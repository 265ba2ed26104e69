"""Registration with Slicer's own BRAINSFit, and what was registered as transform nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from slicer import (
    vtkMRMLCommandLineModuleNode,
    vtkMRMLLinearTransformNode,
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
)
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..errors import RunError
from ..io.itk import affine_of
from ..preprocessing.registration.evidence import Alignment, Decision
from ..preprocessing.registration.pyramid import Pyramid
from ..preprocessing.registration.rigid import Matrix
from ..preprocessing.registration.settings import RegistrationSettings
from ..study.modality import Modality
from .geometry import RAS_FROM_LPS, array_from_matrix, matrix_from_array

Parameters = Mapping[str, str | bool | int | float | vtkMRMLNode]
Start = Callable[[Parameters], vtkMRMLCommandLineModuleNode]
"""Starts BRAINSFit and returns its node at once."""

_POLL_SECONDS = 0.02


def start_brainsfit(parameters: Parameters) -> vtkMRMLCommandLineModuleNode:
    """Start BRAINSFit as Slicer's command line module; only within the application."""
    import slicer

    return slicer.cli.run(slicer.modules.brainsfit, None, dict(parameters), update_display=False)


class BrainsFitRegistration:
    """The `Registration` of a scene: one resolution, the finest, from a start that is near.

    :param scene: holds the nodes that BRAINSFit works on while it runs, and none of them after.
    :param idle: called again and again while BRAINSFit runs, to let the application go on; what it
        raises cancels BRAINSFit and is raised on.
    :param start: default: `start_brainsfit`.
    """

    workers = 1

    def __init__(
        self,
        scene: vtkMRMLScene,
        idle: Callable[[], None],
        start: Start = start_brainsfit,
        settings: RegistrationSettings | None = None,
    ) -> None:
        self.settings = settings or RegistrationSettings()
        self._scene = scene
        self._idle = idle
        self._start = start

    def refine(self, fixed: Pyramid, moving: Pyramid, start: Matrix) -> Matrix:
        """Run BRAINSFit and wait for it, see `protocol.Registration`.

        :raises RunError: it could not be started, or ended with an error.
        """
        finest = self.settings.levels_mm[-1]
        with _temporary(self._scene) as nodes:
            voxels = fixed.head(finest)
            result = nodes(vtkMRMLLinearTransformNode)
            near = nodes(vtkMRMLLinearTransformNode)
            near.SetMatrixTransformToParent(matrix_from_array(_to_fixed_ras(start)))
            images = [nodes(vtkMRMLScalarVolumeNode) for _ in range(2)]
            for node, image in zip(images, (voxels, moving.level(finest)), strict=True):
                _fill(node, image)
            parameters = parameters_of(self.settings, voxels.GetNumberOfPixels()) | {
                "fixedVolume": images[0],
                "movingVolume": images[1],
                "initialTransform": near,
                "linearTransform": result,
            }
            self._run(parameters)
            matrix = vtkMatrix4x4()
            result.GetMatrixTransformToParent(matrix)
            return _to_moving_lps(array_from_matrix(matrix))

    def _run(self, parameters: Parameters) -> None:
        job = self._start(parameters)
        if job is None:
            raise RunError("BRAINSFit could not be started")
        try:
            while job.IsBusy():
                self._idle()
                time.sleep(_POLL_SECONDS)
            if job.GetStatus() != vtkMRMLCommandLineModuleNode.Completed:
                raise RunError(f"BRAINSFit: {job.GetStatusString()} {job.GetErrorText()}".strip())
        finally:
            job.Cancel()
            self._scene.RemoveNode(job)


def parameters_of(settings: RegistrationSettings, voxels: int) -> dict[str, str | bool | float]:
    """Return what BRAINSFit is told, without the nodes.

    Its optimizer is that of `registration.refine`: the same steps in mm and, as
    ``translationScale``, the same weight of a rotation.

    :param voxels: of the fixed volume.
    """
    return {
        "useRigid": True,
        "initializeTransformMode": "Off",
        "costMetric": "MMI",
        "numberOfHistogramBins": settings.histogram_bins,
        "samplingPercentage": min(1.0, settings.samples / voxels),
        "numberOfIterations": str(settings.iterations),
        "maximumStepLength": settings.longest_steps_mm[-1],
        "minimumStepLength": str(settings.shortest_step_mm),
        "relaxationFactor": settings.relaxation,
        "translationScale": settings.lever_mm**2,
    }


def write_motions(
    volumes: Mapping[Modality, vtkMRMLScalarVolumeNode], alignment: Mapping[Modality, Alignment]
) -> dict[Modality, vtkMRMLLinearTransformNode]:
    """Put the motion of every modality that was registered into its scene, to be looked at.

    No volume is moved: whoever wants that puts it under its transform. A transform of an earlier
    run is replaced, or removed where the modality was not registered this time.

    :returns: the transform nodes, which bring modalities onto the reference.
    """
    kept = {}
    for modality, volume in volumes.items():
        scene, name = volume.GetScene(), f"{volume.GetName()} to reference"
        node = scene.GetFirstNode(name, "vtkMRMLLinearTransformNode")
        found = alignment.get(modality)
        if found is None or found.decision is not Decision.REGISTERED:
            if node is not None:
                scene.RemoveNode(node)
            continue
        node = node or scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        motion = RAS_FROM_LPS @ found.motion @ RAS_FROM_LPS
        node.SetMatrixTransformToParent(matrix_from_array(motion))
        kept[modality] = node
    return kept


def _to_fixed_ras(to_moving: Matrix) -> NDArray[np.float64]:
    """Return what MRML calls the transform of a moving volume to its parent."""
    inverse: NDArray[np.float64] = np.linalg.inv(to_moving).astype(np.float64)
    return RAS_FROM_LPS @ inverse @ RAS_FROM_LPS


def _to_moving_lps(to_fixed: Matrix) -> Matrix:
    inverse: Matrix = np.linalg.inv(to_fixed).astype(np.float64)
    return RAS_FROM_LPS @ inverse @ RAS_FROM_LPS


@contextmanager
def _temporary(scene: vtkMRMLScene) -> Iterator[Callable[[type], vtkMRMLNode]]:
    """Yield a maker of hidden nodes, all of which are gone from the scene afterwards."""
    made: list[vtkMRMLNode] = []

    def make(kind: type) -> vtkMRMLNode:
        node = kind()
        node.SetHideFromEditors(True)
        node.SaveWithSceneOff()
        made.append(scene.AddNode(node))
        return made[-1]

    try:
        yield make
    finally:
        for node in made:
            scene.RemoveNode(node)


def _fill(node: vtkMRMLScalarVolumeNode, image: sitk.Image) -> None:
    """Give a volume node the voxels and the place of an image."""
    data = vtkImageData()
    data.SetDimensions(image.GetSize())
    flat = sitk.GetArrayViewFromImage(image).ravel()
    data.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    node.SetAndObserveImageData(data)
    node.SetIJKToRASMatrix(matrix_from_array(RAS_FROM_LPS @ affine_of(image)))
