"""The ``.seg.nrrd`` that is written without Slicer, opened by Slicer's own storage node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.io.write import write_segmentation
from BrainSegAccelLib.mrml.segmentation import replace_content
from BrainSegAccelLib.study.segmentation import Segmentation
from BrainSegAccelLib.study.terminology import terminology_entry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_schemes import TUMOUR
from numpy.testing import assert_allclose, assert_array_equal
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4

SHAPE = (7, 8, 9)
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def labels(*values: int) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    for value in values:
        array[value : value + 2, 2:5, value : value + 4] = value
    return array


def opened(scene, path: Path) -> slicer.vtkMRMLSegmentationNode:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    assert storage.GetUserMessages().GetNumberOfMessages() == 0
    return node


def label_map(segment) -> tuple[np.ndarray, np.ndarray]:
    """Labels (k, j, i) and ijk -> LPS of the label map that a segment lies in."""
    image = segment.GetRepresentation(
        slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    )
    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(image.GetDimensions()[::-1]), RAS_FROM_LPS @ affine


@pytest.mark.parametrize("present", [(1, 2, 3), (2, 3), (1,), ()], ids=str)
def test_opens_with_names_colours_codes_and_labels(scene, tmp_path, present):
    written = Segmentation(labels(*present), Grid(SHAPE, np.eye(4)), TUMOUR.scheme)
    write_segmentation(written, tmp_path / "x.seg.nrrd")
    content = opened(scene, tmp_path / "x.seg.nrrd").GetSegmentation()
    assert content.GetNumberOfSegments() == 3
    assert content.GetNumberOfLayers() == 1
    for index, expected in enumerate(TUMOUR.scheme.labels):
        segment = content.GetNthSegment(index)
        assert content.GetNthSegmentID(index) == expected.identifier
        assert segment.GetName() == expected.name
        assert_allclose(segment.GetColor(), np.array(expected.colour) / 255, atol=1e-5)
        assert segment.GetTerminology() == terminology_entry(expected, TUMOUR.scheme)
        assert segment.GetLabelValue() == expected.value
        assert_array_equal(label_map(segment)[0], written.labels)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    turn=st.floats(-3.1, 3.1),
    tilt=st.floats(-3.1, 3.1),
    spacing=st.tuples(*[st.floats(0.2, 8)] * 3),
    mirrored=st.booleans(),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_lies_where_the_grid_is(scene, tmp_path, turn, tilt, spacing, mirrored, origin):
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ np.array(about_x) * spacing
    affine[:3, 2] *= -1 if mirrored else 1
    affine[:3, 3] = origin
    path = tmp_path / "x.seg.nrrd"
    write_segmentation(Segmentation(labels(2), Grid(SHAPE, affine), TUMOUR.scheme), path)

    content = opened(scene, path).GetSegmentation()

    for index in range(3):
        assert_allclose(label_map(content.GetNthSegment(index))[1], affine, atol=1e-9)
    reference = slicer.vtkOrientedImageData()
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(
        content.GetConversionParameter(name), reference
    )
    assert reference.GetDimensions() == SHAPE[::-1]
    matrix = vtkMatrix4x4()
    reference.GetImageToWorldMatrix(matrix)
    stored = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    assert_allclose(RAS_FROM_LPS @ stored, affine, atol=1e-9)


def header(path: Path) -> dict[str, str]:
    text = path.read_bytes().split(b"\n\n", 1)[0].decode()
    return dict(line.split(":=", 1) for line in text.splitlines() if ":=" in line)


def test_header_says_what_slicer_itself_writes(scene, add_volume, tmp_path):
    written = Segmentation(labels(1, 3), Grid(SHAPE, np.diag([0.5, 0.5, 2.0, 1.0])), TUMOUR.scheme)
    write_segmentation(written, tmp_path / "ours.seg.nrrd")

    reference = add_volume(np.zeros(SHAPE, np.float32), RAS_FROM_LPS @ written.grid.affine)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    replace_content(node, written, reference)
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "slicer.seg.nrrd"))
    assert node.GetStorageNode().WriteData(node)

    ours, theirs = header(tmp_path / "ours.seg.nrrd"), header(tmp_path / "slicer.seg.nrrd")
    parameters = "Segmentation_ConversionParameters"
    reference_geometry = next(p for p in theirs.pop(parameters).split("&") if "geometry|" in p)
    assert geometry(ours.pop(parameters)) == geometry(reference_geometry)
    assert ours == theirs


def geometry(parameter: str) -> tuple[str, list[float]]:
    name, values, _description = parameter.split("|")
    return name, [float(value) for value in values.split(";") if value]
