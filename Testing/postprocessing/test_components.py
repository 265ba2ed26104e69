from __future__ import annotations

import numpy as np
from BrainSegAccelLib.postprocessing.components import remove_small_components


def _labels() -> np.ndarray:
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[1:6, 1:6, 1:6] = 2
    labels[2:4, 2:4, 2:4] = 3
    labels[15, 15, 15] = 1
    labels[16, 16, 16] = 3
    return labels


def test_small_parts_go_large_ones_stay_whole() -> None:
    kept = remove_small_components(_labels(), 1.0, 0.05)
    assert not kept[15:].any()
    np.testing.assert_array_equal(kept[:10, :10, :10], _labels()[:10, :10, :10])


def test_corners_connect() -> None:
    kept = remove_small_components(_labels(), 1.0, 0.002)
    assert kept[15, 15, 15] == 1
    assert kept[16, 16, 16] == 3


def test_the_limit_is_a_volume_not_a_count() -> None:
    kept = remove_small_components(_labels(), 30.0, 0.05)
    np.testing.assert_array_equal(kept, _labels())


def test_nothing_in_nothing_out() -> None:
    assert not remove_small_components(np.zeros((5, 5, 5), dtype=np.uint8), 1.0).any()
