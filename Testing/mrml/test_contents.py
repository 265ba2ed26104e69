from __future__ import annotations

import numpy as np
import pytest
import slicer
from BrainSegAccelLib.mrml.contents import Contents, edited_by_the_user, sign
from BrainSegAccelLib.mrml.segmentation import replace_content
from BrainSegAccelLib.mrml.volumes import volume_from_node
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR
from vtkmodules.util.numpy_support import vtk_to_numpy

OBLIQUE = np.array(
    [[0.8, -0.72, 0.0, 10.0], [0.6, 0.96, 0.0, -20.0], [0.0, 0.0, 2.0, 30.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def reference(add_volume):
    return add_volume(np.random.default_rng(0).normal(size=(12, 25, 30)).astype("f4"), OBLIQUE)


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")


def fill(node, reference, value: int) -> None:
    grid = volume_from_node(reference).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[3:7, 4:9, 5:11] = value
    replace_content(node, Segmentation(labels, grid, TUMOUR.scheme), reference)
    sign(node)


def voxels(node, identifier="oedema"):
    segment = node.GetSegmentation().GetSegment(identifier)
    image = segment.GetRepresentation("Binary labelmap")
    array = vtk_to_numpy(image.GetPointData().GetScalars())
    return array.reshape(image.GetDimensions()[::-1]), image


def test_nobody_made_an_empty_node(node):
    assert not edited_by_the_user(node)


def test_our_own_content_is_ours(node, reference):
    fill(node, reference, 2)
    assert not edited_by_the_user(node)


def test_surface_and_visibility_are_no_edits(node, reference):
    fill(node, reference, 2)
    node.CreateClosedSurfaceRepresentation()
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSegmentVisibility("oedema", False)
    assert not edited_by_the_user(node)


@pytest.mark.parametrize("edit", ["paint", "rename", "add", "remove"])
def test_what_a_person_does_is_seen(node, reference, edit):
    fill(node, reference, 2)
    content = node.GetSegmentation()
    if edit == "paint":
        array, image = voxels(node)
        array[5, 5, 5] = 0
        image.Modified()
    elif edit == "rename":
        content.GetSegment("oedema").SetName("something else")
    elif edit == "add":
        content.AddEmptySegment("mine")
    else:
        content.RemoveSegment("oedema")
    assert edited_by_the_user(node)


def test_content_that_was_there_before_is_a_persons(node):
    node.GetSegmentation().AddEmptySegment("mine")
    assert edited_by_the_user(node)


def test_saved_and_loaded_content_is_still_ours(node, reference, scene, tmp_path):
    fill(node, reference, 2)
    node.AddDefaultStorageNode()
    path = str(tmp_path / "tumour.seg.nrrd")
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(path)
    assert storage.ReadData(loaded)
    loaded.SetAttribute("BrainSegAccel.Content", node.GetAttribute("BrainSegAccel.Content"))
    assert not edited_by_the_user(loaded)


def test_previous_content_comes_back(node, reference, put_under):
    fill(node, reference, 2)
    array, image = voxels(node)
    array[5, 5, 5] = 0
    image.Modified()
    transform = put_under(node, np.eye(4))
    before = Contents.of(node)
    fill(node, reference, 3)
    assert node.GetParentTransformNode() is None
    before.put_back(node)
    assert voxels(node)[0][5, 5, 5] == 0
    assert np.count_nonzero(voxels(node)[0]) == 4 * 5 * 6 - 1
    assert node.GetParentTransformNode() is transform
    assert edited_by_the_user(node)


def test_undo_survives_nodes_that_are_gone(node, reference, scene):
    fill(node, reference, 2)
    before = Contents.of(node)
    node.GetSegmentation().RemoveAllSegments()
    scene.RemoveNode(reference)
    before.put_back(node)
    assert np.count_nonzero(voxels(node)[0]) == 4 * 5 * 6
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is None
