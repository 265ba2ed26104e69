from __future__ import annotations

import numpy as np
from BrainSegAccelLib.postprocessing.regions_to_labels import labels_from_probabilities
from BrainSegAccelLib.study.regions import Region
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@given(hnp.arrays(np.float32, (3, 2, 2, 2), elements=st.floats(0, 1, width=32)))
def test_regions_are_nested_and_never_larger_than_predicted(p: np.ndarray) -> None:
    labels = labels_from_probabilities(p)
    found = {region: np.isin(labels, list(region.labels)) for region in Region}
    assert (found[Region.ET] <= found[Region.TC]).all()
    assert (found[Region.TC] <= found[Region.WT]).all()
    assert (found[Region.WT] == (p[2] > 0.5)).all()
    for channel, region in enumerate(Region):
        assert (found[region] <= (p[channel] > 0.5)).all()


def test_labels_are_the_differences_of_the_regions() -> None:
    p = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]], dtype=np.float32)
    assert labels_from_probabilities(p[:, :, None, None]).ravel().tolist() == [0, 2, 1, 3]


def test_thresholds_are_per_region() -> None:
    p = np.full((3, 1, 1, 1), 0.6, dtype=np.float32)
    thresholds = {Region.ET: 0.7, Region.TC: 0.5, Region.WT: 0.5}
    assert labels_from_probabilities(p, thresholds).item() == 1
