"""BRAINSFit itself is not there: a stand-in for its runner answers from the nodes that it gets."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from BrainSegAccelLib.errors import RunError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.mrml.geometry import RAS_FROM_LPS, array_from_matrix
from BrainSegAccelLib.mrml.registration import BrainsFitRegistration, parameters_of, write_motions
from BrainSegAccelLib.mrml.volumes import volume_from_node
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision
from BrainSegAccelLib.preprocessing.registration.protocol import Registration
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.settings import RegistrationSettings
from BrainSegAccelLib.study.modality import Modality
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from .conftest import vtk_matrix

MODULE = slicer.vtkMRMLCommandLineModuleNode
START = np.array([[0, -1, 0, 12.0], [1, 0, 0, -7.0], [0, 0, 1, 3.0], [0, 0, 0, 1.0]])


class BrainsFit:
    """What `slicer.cli.run` does: takes parameters, makes a node, runs on.

    :param polls: how often it is busy before it has ended.
    :param status: how it ends.
    """

    def __init__(self, scene, polls: int = 2, status: int = MODULE.Completed) -> None:
        self.scene, self.polls, self.status = scene, polls, status
        self.parameters: dict = {}
        self.volumes: dict[str, Volume] = {}
        self.node = None

    def start(self, parameters):
        self.parameters = dict(parameters)
        for role in ("fixedVolume", "movingVolume"):
            self.volumes[role] = volume_from_node(parameters[role])
        self.node = self.scene.AddNode(MODULE())
        self.node.SetStatus(MODULE.Running)
        return self.node

    def idle(self) -> None:
        """The result is the start, shifted by 2 mm to the patient's right."""
        self.polls -= 1
        if self.polls == 0:
            matrix = vtkMatrix4x4()
            self.parameters["initialTransform"].GetMatrixTransformToParent(matrix)
            matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 2.0)
            self.parameters["linearTransform"].SetMatrixTransformToParent(matrix)
            self.node.SetStatus(self.status)


@pytest.fixture
def pyramids(four_modalities) -> tuple[Pyramid, Pyramid]:
    return Pyramid(four_modalities[Modality.T1C]), Pyramid(four_modalities[Modality.T2])


def register(scene, brainsfit: BrainsFit, pyramids, idle=None) -> np.ndarray:
    registration: Registration = BrainsFitRegistration(
        scene, idle or brainsfit.idle, brainsfit.start
    )
    return registration.refine(*pyramids, START)


def test_a_motion_comes_back_as_it_went_in(scene, pyramids) -> None:
    brainsfit = BrainsFit(scene)
    found = register(scene, brainsfit, pyramids)
    # 2 mm to the right of the patient is -2 mm along L, of what the motion brings back.
    shifted = np.eye(4)
    shifted[0, 3] = -2.0
    np.testing.assert_allclose(np.linalg.inv(found), shifted @ np.linalg.inv(START), atol=1e-9)


def test_brainsfit_gets_the_voxels_of_the_finest_level_in_their_place(scene, pyramids) -> None:
    brainsfit = BrainsFit(scene)
    register(scene, brainsfit, pyramids)
    finest = RegistrationSettings().levels_mm[-1]
    expected = {"fixedVolume": pyramids[0].head(finest), "movingVolume": pyramids[1].level(finest)}
    for role, image in expected.items():
        volume = brainsfit.volumes[role]
        assert volume.array.shape[::-1] == image.GetSize()
        np.testing.assert_allclose(volume.grid.origin, image.GetOrigin())
        np.testing.assert_allclose(volume.grid.spacing, image.GetSpacing())


def test_both_implementations_go_by_one_value() -> None:
    settings = RegistrationSettings(samples=1000, histogram_bins=40, lever_mm=30.0)
    parameters = parameters_of(settings, voxels=4000)
    assert parameters["samplingPercentage"] == 0.25
    assert parameters["numberOfHistogramBins"] == 40
    assert parameters["translationScale"] == 900.0
    assert parameters["useRigid"] is True
    assert parameters["costMetric"] == "MMI"
    assert parameters_of(settings, voxels=500)["samplingPercentage"] == 1.0


def test_nothing_stays_in_the_scene(scene, pyramids) -> None:
    before = scene.GetNumberOfNodes()
    register(scene, BrainsFit(scene), pyramids)
    assert scene.GetNumberOfNodes() == before


def test_an_error_of_brainsfit_is_one_of_the_run(scene, pyramids) -> None:
    before = scene.GetNumberOfNodes()
    with pytest.raises(RunError, match="BRAINSFit: Completed with errors"):
        register(scene, BrainsFit(scene, status=MODULE.CompletedWithErrors), pyramids)
    assert scene.GetNumberOfNodes() == before


def test_a_module_that_is_not_there_is_an_error_of_the_run(scene, pyramids) -> None:
    before = scene.GetNumberOfNodes()
    registration = BrainsFitRegistration(scene, lambda: None, lambda _parameters: None)
    with pytest.raises(RunError, match="could not be started"):
        registration.refine(*pyramids, START)
    assert scene.GetNumberOfNodes() == before


def test_cancelling_stops_brainsfit_and_leaves_nothing(scene, pyramids) -> None:
    before = scene.GetNumberOfNodes()
    brainsfit = BrainsFit(scene)

    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register(scene, brainsfit, pyramids, cancel)
    assert brainsfit.node.GetStatus() in (MODULE.Cancelling, MODULE.Cancelled)
    assert scene.GetNumberOfNodes() == before


@pytest.fixture
def flair(four_modalities, add_volume):
    volume = four_modalities[Modality.FLAIR]
    return add_volume(volume.array, RAS_FROM_LPS @ volume.affine, "FLAIR")


def test_a_kept_motion_brings_the_volume_onto_the_reference(scene, flair) -> None:
    motion = np.linalg.inv(START)
    found = {Modality.FLAIR: Alignment.of(Decision.REGISTERED, motion, same_grid=False)}
    (node,) = write_motions({Modality.FLAIR: flair}, found).values()
    assert node.GetScene() is scene
    assert flair.GetParentTransformNode() is None
    expected = volume_from_node(flair).moved(motion)
    flair.SetAndObserveTransformNodeID(node.GetID())
    np.testing.assert_allclose(volume_from_node(flair).affine, expected.affine, atol=1e-9)


def test_a_kept_motion_is_replaced_by_the_next_run(scene, flair) -> None:
    volumes = {Modality.FLAIR: flair}
    for shift in (1.0, 2.0):
        motion = np.eye(4)
        motion[2, 3] = shift
        registered = Alignment.of(Decision.REGISTERED, motion, same_grid=False)
        (node,) = write_motions(volumes, {Modality.FLAIR: registered}).values()
    assert scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == 1
    matrix = vtk_matrix(np.eye(4))
    node.GetMatrixTransformToParent(matrix)
    assert array_from_matrix(matrix)[2, 3] == 2.0
    agrees = Alignment.of(Decision.AGREES, same_grid=True)
    assert write_motions(volumes, {Modality.FLAIR: agrees}) == {}
    assert scene.GetNumberOfNodesByClass("vtkMRMLLinearTransformNode") == 0
