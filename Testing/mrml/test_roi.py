from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.mrml.roi import roi_from_node
from numpy.testing import assert_allclose


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")


def test_box_is_where_the_person_drew_it(node):
    node.SetCenter(10.0, 20.0, 30.0)
    node.SetSize(2.0, 4.0, 6.0)
    corners = roi_from_node(node).corners()
    assert_allclose(corners.min(axis=0), [-11.0, -22.0, 27.0])
    assert_allclose(corners.max(axis=0), [-9.0, -18.0, 33.0])


def test_box_moves_with_its_transform(node, put_under):
    node.SetCenter(0.0, 0.0, 0.0)
    node.SetSize(2.0, 4.0, 6.0)
    turned = np.array(
        [[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, 6.0], [0.0, 0.0, 1.0, 7.0], [0, 0, 0, 1.0]]
    )
    put_under(node, turned)
    roi = roi_from_node(node)
    assert_allclose(roi.centre, [-5.0, -6.0, 7.0])
    assert_allclose(np.ptp(roi.corners(), axis=0), [4.0, 2.0, 6.0], atol=1e-9)


def test_box_that_is_not_placed_is_refused(node):
    with pytest.raises(InputError, match=r"box: .*not placed"):
        roi_from_node(node)
