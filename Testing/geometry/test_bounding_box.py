from __future__ import annotations

import numpy as np
from BrainSegAccelLib.geometry.bounding_box import bounding_box
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=5)))
def test_holds_every_voxel_and_no_side_is_too_long(mask: np.ndarray) -> None:
    box = bounding_box(mask)
    if box is None:
        assert not mask.any()
        return
    inside = mask[box]
    assert np.count_nonzero(inside) == np.count_nonzero(mask)
    for axis in range(3):
        ends = inside.take([0, -1], axis).any(axis=tuple(a for a in range(3) if a != axis))
        assert ends.all()


def test_bounds_are_plain_integers() -> None:
    mask = np.zeros((3, 4, 5), dtype=bool)
    mask[1, 2, 3] = True
    assert bounding_box(mask) == (slice(1, 2), slice(2, 3), slice(3, 4))
    assert {type(side.start) for side in bounding_box(mask) or ()} == {int}
