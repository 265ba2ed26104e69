from __future__ import annotations

import numpy as np
import pytest
import slicer
from BrainSegAccelLib.mrml.geometry import RAS_FROM_LPS, array_from_matrix
from BrainSegAccelLib.mrml.segmentation import replace_content
from BrainSegAccelLib.mrml.volumes import volume_from_node
from BrainSegAccelLib.study.segmentation import Segmentation
from BrainSegAccelLib.study.terminology import terminology_entry
from label_schemes import TUMOUR
from numpy.testing import assert_allclose, assert_array_equal
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import reference as reference_to
from vtkmodules.vtkCommonMath import vtkMatrix4x4

OBLIQUE_LEFT_HANDED = np.array(
    [[0.8, -0.72, 0.0, 10.0], [0.6, 0.96, 0.0, -20.0], [0.0, 0.0, -2.0, 30.0], [0.0, 0.0, 0.0, 1.0]]
)
TURNED = np.array(
    [[0.6, 0.0, 0.8, 5.0], [0.0, 1.0, 0.0, 6.0], [-0.8, 0.0, 0.6, 7.0], [0.0, 0.0, 0.0, 1.0]]
)
TURNED_AND_MIRRORED = np.array(
    [[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, -7.0], [0.0, 0.0, -1.0, 9.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def reference(add_volume):
    voxels = np.random.default_rng(0).normal(size=(12, 25, 30)).astype(np.float32)
    return add_volume(voxels, OBLIQUE_LEFT_HANDED)


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumour")


def result_for(reference, labels: tuple[int, ...] = (1, 2, 3)) -> Segmentation:
    grid = volume_from_node(reference).grid
    values = np.zeros(grid.shape, np.uint8)
    for label in labels:
        values[2 * label : 2 * label + 3, 5:9, 7 : 12 + label] = label
    return Segmentation(values, grid, TUMOUR.scheme)


def segments(node) -> list:
    content = node.GetSegmentation()
    return [content.GetNthSegment(n) for n in range(content.GetNumberOfSegments())]


def binary(segment):
    return segment.GetRepresentation(
        slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    )


def ijk_to_world(node, image) -> np.ndarray:
    """The 4x4 ijk -> RAS world of a segment's label map, parent transform included."""
    matrix, parent = vtkMatrix4x4(), vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    if node.GetParentTransformNode():
        node.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    vtkMatrix4x4.Multiply4x4(parent, matrix, matrix)
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def voxels_of(node, segment) -> np.ndarray:
    """Mask (k, j, i) of a segment."""
    image = binary(segment)
    labels = vtk_to_numpy(image.GetPointData().GetScalars())
    return labels.reshape(image.GetDimensions()[::-1]) == segment.GetLabelValue()


@pytest.mark.parametrize("labels", [(1, 2, 3), (2,), ()], ids=["all", "oedema only", "nothing"])
def test_three_segments_in_order_empty_or_not(reference, node, labels):
    result = result_for(reference, labels)
    replace_content(node, result, reference)
    assert [segment.GetName() for segment in segments(node)] == [
        "Necrotic core",
        "Oedema",
        "Enhancing tumour",
    ]
    for segment, expected in zip(segments(node), TUMOUR.scheme.labels, strict=True):
        assert segment.GetLabelValue() == expected.value
        assert_allclose(segment.GetColor(), np.array(expected.colour) / 255)
        assert_array_equal(voxels_of(node, segment), result.labels == expected.value)


def test_segments_carry_terminology_and_dicom_tags(reference, node):
    replace_content(node, result_for(reference), reference)
    for segment, expected in zip(segments(node), TUMOUR.scheme.labels, strict=True):
        assert segment.GetTerminology() == terminology_entry(expected, TUMOUR.scheme)
        assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
        assert tag(segment, "DICOM.SegmentAlgorithmName") == "BrainSegAccel"


def test_segments_share_one_label_map(reference, node):
    replace_content(node, result_for(reference), reference)
    assert node.GetSegmentation().GetNumberOfLayers() == 1


def test_overlays_its_reference(reference, node):
    replace_content(node, result_for(reference), reference)
    assert node.GetParentTransformNode() is None
    assert_array_equal(ijk_to_world(node, binary(segments(node)[0])), OBLIQUE_LEFT_HANDED)
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is reference
    assert reference_geometry_matches(node, reference)


def test_moves_with_its_reference_under_linear_parents(reference, node, put_under):
    transform = put_under(reference, TURNED_AND_MIRRORED)
    outer = put_under(transform, TURNED)
    replace_content(node, result_for(reference), reference)
    assert node.GetParentTransformNode() is transform
    assert_allclose(
        ijk_to_world(node, binary(segments(node)[0])),
        TURNED @ TURNED_AND_MIRRORED @ OBLIQUE_LEFT_HANDED,
        atol=1e-9,
    )
    assert reference_geometry_matches(node, reference)
    outer.SetMatrixTransformToParent(vtkMatrix4x4())
    assert_allclose(
        ijk_to_world(node, binary(segments(node)[0])),
        TURNED_AND_MIRRORED @ OBLIQUE_LEFT_HANDED,
        atol=1e-9,
    )


def test_lies_in_world_where_a_non_linear_parent_was_hardened(add_volume, node, bend):
    reference = add_volume(np.ones((30, 30, 30), np.float32), np.eye(4))
    bend(reference, (3.0, -2.0, 4.0))

    result = result_for(reference)
    replace_content(node, result, reference)

    assert node.GetParentTransformNode() is None
    expected = np.diag([-1.0, -1.0, 1.0, 1.0]) @ result.grid.affine
    assert_allclose(ijk_to_world(node, binary(segments(node)[0])), expected)


def test_replaces_the_content_and_keeps_the_rest_of_the_scene(scene, reference, node):
    replace_content(node, result_for(reference, (1, 2, 3)), reference)
    node.GetSegmentation().AddEmptySegment("drawn", "By hand")
    nodes, display = scene.GetNumberOfNodes(), node.GetDisplayNode()
    display.SetOpacity(0.4)

    second = result_for(reference, (2,))
    replace_content(node, second, reference)

    assert scene.GetNumberOfNodes() == nodes
    assert (node.GetName(), node.GetDisplayNode()) == ("Tumour", display)
    assert display.GetOpacity() == 0.4
    assert len(segments(node)) == 3
    assert_array_equal(voxels_of(node, segments(node)[1]), second.labels == 2)


def test_listeners_see_only_the_finished_content(reference, node):
    replace_content(node, result_for(reference), reference)
    counts = []
    events = (
        slicer.vtkSegmentation.SegmentAdded,
        slicer.vtkSegmentation.SegmentRemoved,
        slicer.vtkSegmentation.SourceRepresentationModified,
        "ModifiedEvent",
    )
    for event in events:
        node.AddObserver(event, lambda *_: counts.append(len(segments(node))))
    replace_content(node, result_for(reference, (3,)), reference)
    assert counts
    assert set(counts) == {3}


def test_old_content_stays_when_the_new_one_cannot_be_built(reference, node):
    first = result_for(reference)
    replace_content(node, first, reference)
    broken = Segmentation(np.full(first.labels.shape, "x", dtype=object), first.grid, TUMOUR.scheme)
    with pytest.raises(ValueError, match="x"):
        replace_content(node, broken, reference)
    assert_array_equal(voxels_of(node, segments(node)[0]), first.labels == 1)


def test_result_follows_a_reference_that_moved_during_the_run(reference, node, put_under):
    result = result_for(reference)
    moved = put_under(reference, np.diag([1.0, 1.0, 1.0, 1.0]) + np.eye(4, k=3) * 20)
    replace_content(node, result, reference)
    assert node.GetParentTransformNode() is moved
    own = vtkMatrix4x4()
    reference.GetIJKToRASMatrix(own)
    labelmap = segments(node)[0].GetRepresentation("Binary labelmap")
    image_to_world = vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(image_to_world)
    assert_allclose(array_from_matrix(image_to_world), array_from_matrix(own), atol=1e-9)


def test_result_lies_in_world_when_its_reference_is_gone(reference, node, put_under):
    put_under(reference, np.diag([1.0, 1.0, 1.0, 1.0]) + np.eye(4, k=3) * 20)
    result = result_for(reference)
    replace_content(node, result, None)
    assert node.GetParentTransformNode() is None
    labelmap = segments(node)[0].GetRepresentation("Binary labelmap")
    image_to_world = vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(image_to_world)
    expected = RAS_FROM_LPS @ result.grid.affine
    assert_allclose(array_from_matrix(image_to_world), expected, atol=1e-9)


def test_surface_that_was_shown_is_made_again(reference, node):
    surface = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    replace_content(node, result_for(reference, (2,)), reference)
    assert not node.GetSegmentation().ContainsRepresentation(surface)
    node.GetSegmentation().CreateRepresentation(surface)
    replace_content(node, result_for(reference, (3,)), reference)
    points = [s.GetRepresentation(surface).GetNumberOfPoints() for s in segments(node)]
    assert [count > 0 for count in points] == [False, False, True]


def tag(segment, name: str) -> str:
    value = reference_to("")
    assert segment.GetTag(name, value)
    return str(value)


def reference_geometry_matches(node, reference) -> bool:
    """Whether Slicer takes the node's reference geometry for that of the volume."""
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    stored, expected = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    text = node.GetSegmentation().GetConversionParameter(name)
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, stored)
    expected.SetDimensions(reference.GetImageData().GetDimensions())
    matrix = vtkMatrix4x4()
    reference.GetIJKToRASMatrix(matrix)
    expected.SetImageToWorldMatrix(matrix)
    return slicer.vtkOrientedImageDataResample.DoGeometriesMatch(stored, expected)
