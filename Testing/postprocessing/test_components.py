from __future__ import annotations

import numpy as np
from BrainSegAccelLib.postprocessing.components import remove_unlikely_components

SURE = np.ones((20, 20, 20), dtype=bool)


def _labels() -> np.ndarray:
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[1:6, 1:6, 1:6] = 2
    labels[2:4, 2:4, 2:4] = 3
    labels[15, 15, 15] = 1
    labels[16, 16, 16] = 3
    return labels


def test_small_parts_go_large_ones_stay_whole() -> None:
    kept = remove_unlikely_components(_labels(), SURE, 1.0, 0.05)
    assert not kept[15:].any()
    np.testing.assert_array_equal(kept[:10, :10, :10], _labels()[:10, :10, :10])


def test_corners_connect() -> None:
    kept = remove_unlikely_components(_labels(), SURE, 1.0, 0.002)
    assert kept[15, 15, 15] == 1
    assert kept[16, 16, 16] == 3


def test_the_limit_is_a_volume_not_a_count() -> None:
    kept = remove_unlikely_components(_labels(), SURE, 30.0, 0.05)
    np.testing.assert_array_equal(kept, _labels())


def test_nothing_in_nothing_out() -> None:
    empty = np.zeros((20, 20, 20), dtype=np.uint8)
    assert not remove_unlikely_components(empty, SURE, 1.0, 0.05).any()


def test_parts_stay_that_are_sure_somewhere() -> None:
    sure = np.zeros((20, 20, 20), dtype=bool)
    sure[3, 3, 3] = True
    kept = remove_unlikely_components(_labels(), sure, 1.0, 0.0)
    assert not kept[15:].any()
    np.testing.assert_array_equal(kept[:10, :10, :10], _labels()[:10, :10, :10])
    assert not remove_unlikely_components(_labels(), ~SURE, 1.0, 0.0).any()
