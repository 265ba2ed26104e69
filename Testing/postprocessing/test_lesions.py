from __future__ import annotations

import numpy as np
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.postprocessing.lesions import lesions
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR
from numpy.testing import assert_allclose, assert_array_equal

GRID = Grid((12, 14, 16), np.array([[0, -1, 0, 5], [2, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]]))


def test_parts_are_apart_largest_first_and_in_place():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1:3, 1:3, 1:3] = 3
    labels[3, 3, 3] = 2  # touches at a corner
    labels[5:11, 6:12, 7:14] = 1
    large, small = lesions(Segmentation(labels, GRID, TUMOUR.scheme))
    assert large.labels.shape == (6, 6, 7)
    assert_array_equal(small.labels, labels[1:4, 1:4, 1:4])
    assert_allclose(small.grid.origin, GRID.to_patient(np.array([1.0, 1.0, 1.0])))
    assert_allclose(large.grid.origin, GRID.to_patient(np.array([7.0, 6.0, 5.0])))
    whole = Segmentation(labels, GRID, TUMOUR.scheme).volume_ml([1, 2, 3])
    assert_allclose(large.volume_ml([1, 2, 3]) + small.volume_ml([1, 2, 3]), whole)


def test_no_tumour_no_part():
    assert lesions(Segmentation(np.zeros(GRID.shape, np.uint8), GRID, TUMOUR.scheme)) == ()
