from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.mrml.masks import mask_from_node
from BrainSegAccelLib.mrml.segmentation import replace_content
from BrainSegAccelLib.mrml.volumes import volume_from_node
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR
from numpy.testing import assert_allclose

OBLIQUE = np.array(
    [[0.8, -0.72, 0.0, 10.0], [0.6, 0.96, 0.0, -20.0], [0.0, 0.0, 2.0, 30.0], [0.0, 0.0, 0.0, 1.0]]
)


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "brain")


def test_mask_is_the_union_of_all_segments_in_place(node, add_volume, put_under):
    reference = add_volume(np.random.default_rng(0).normal(size=(12, 25, 30)).astype("f4"), OBLIQUE)
    put_under(reference, np.diag([-1.0, -1.0, 1.0, 1.0]) + np.eye(4, k=3) * 7)
    grid = volume_from_node(reference).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[3:6, 4:9, 5:11], labels[6:8, 4:9, 5:11] = 1, 3
    replace_content(node, Segmentation(labels, grid, TUMOUR.scheme), reference)
    mask = mask_from_node(node)
    inside = np.argwhere(mask.array > 0)
    assert len(inside) == np.count_nonzero(labels)
    expected = np.argwhere(labels > 0)
    places = mask.grid.to_patient(inside[:, ::-1].astype(float))
    assert_allclose(places, grid.to_patient(expected[:, ::-1].astype(float)), atol=1e-6)


def test_empty_mask_is_refused(node):
    with pytest.raises(InputError, match="brain: has nothing in it"):
        mask_from_node(node)
    node.GetSegmentation().AddEmptySegment("empty")
    with pytest.raises(InputError, match="brain: has nothing in it"):
        mask_from_node(node)


def test_mask_under_a_bent_transform_is_refused(node, bend):
    bend(node, (1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="non-linear"):
        mask_from_node(node)
