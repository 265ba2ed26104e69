"""Volume nodes in and a segmentation node out, in whatever MRML this Python holds.

Runs inside Slicer by ctest and, with the same code, on slicer-core. Reading needs no package that
Slicer does not ship; writing is skipped where pydantic, which describes the labels, is missing.
"""

import unittest
from importlib.util import find_spec

import numpy as np
import slicer
import vtk
from BrainSegAccelLib.mrml.volumes import volume_from_node
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


class BrainSegAccelNodesTest(unittest.TestCase):
    def setUp(self):
        self.scene = slicer.vtkMRMLScene()
        self.voxels = np.random.default_rng(0).normal(size=(24, 28, 32)).astype(np.float32)
        image = vtk.vtkImageData()
        image.SetDimensions(self.voxels.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(self.voxels.ravel(), deep=True))
        self.volume = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1c")
        self.volume.SetAndObserveImageData(image)
        self.volume.SetSpacing(1.0, 1.5, 2.0)
        self.volume.SetOrigin(10.0, -20.0, 30.0)
        matrix = vtk.vtkTransform()
        matrix.RotateWXYZ(30.0, 1.0, 2.0, 3.0)
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(matrix.GetMatrix())
        self.volume.SetAndObserveTransformNodeID(transform.GetID())

    def test_reads_voxels_and_place(self):
        volume = volume_from_node(self.volume)
        np.testing.assert_array_equal(volume.array, self.voxels)
        world = [0.0, 0.0, 0.0]
        self.volume.TransformPointToWorld((10.0, -20.0, 30.0), world)
        np.testing.assert_allclose(volume.grid.origin, np.array(world) * (-1, -1, 1))

    @unittest.skipUnless(find_spec("pydantic"), "the panel's packages are not installed")
    def test_writes_segments_that_overlay_the_reference(self):
        from BrainSegAccelLib.models.package import DEFAULT_MODEL, load_package
        from BrainSegAccelLib.mrml.segmentation import replace_content
        from BrainSegAccelLib.study.segmentation import Segmentation

        scheme = load_package(DEFAULT_MODEL).card.outputs.scheme
        grid = volume_from_node(self.volume).grid
        labels = np.zeros(grid.shape, np.uint8)
        labels[4:9, 5:10, 6:11], labels[10:15, 5:10, 6:11] = 2, 3
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        replace_content(node, Segmentation(labels, grid, scheme), self.volume)
        content = node.GetSegmentation()
        assert content.GetNumberOfSegments() == 3
        assert node.GetParentTransformNode() is self.volume.GetParentTransformNode()
        for index, expected in enumerate(scheme.labels):
            segment = content.GetNthSegment(index)
            assert segment.GetName() == expected.name
            labelmap = segment.GetRepresentation("Binary labelmap")
            values = vtk_to_numpy(labelmap.GetPointData().GetScalars())
            np.testing.assert_array_equal(values, labels.ravel())
            np.testing.assert_allclose(labelmap.GetOrigin(), (10.0, -20.0, 30.0))


if __name__ == "__main__":
    unittest.main()
