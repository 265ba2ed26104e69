from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.models.description import LOWEST_THRESHOLD, Outputs
from BrainSegAccelLib.postprocessing.labelling import (
    labels_from_probabilities,
    tumour_probability,
    where_sure,
)
from BrainSegAccelLib.postprocessing.refinement import Refinement, ResolvedRefinement
from BrainSegAccelLib.study.label_scheme import Region
from hypothesis import given
from hypothesis import strategies as st
from label_schemes import (
    POSTOPERATIVE,
    TUMOUR,
    label,
    scheme,
    sigmoid_outputs,
    softmax_outputs,
)

VOXELS = 12


def own(outputs: Outputs) -> dict[str, float]:
    return dict(Refinement().resolve(outputs).thresholds)


@st.composite
def cases(draw, outputs) -> tuple[Outputs, np.ndarray, dict[str, float]]:
    """Draw outputs, probabilities (C, voxels) and a threshold for every region."""
    drawn = draw(outputs)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = rng.random((len(drawn.channels), VOXELS), dtype=np.float32)
    if drawn.activation == "softmax":
        p = (p**4 / (p**4).sum(axis=0)).astype(np.float32)
    regions = [region.identifier for region in drawn.scheme.regions]
    limits = st.floats(LOWEST_THRESHOLD, 1.0)
    return drawn, p, {name: draw(limits) for name in regions}


@given(cases(sigmoid_outputs()))
def test_nested_regions_lie_in_one_another_and_are_never_larger_than_predicted(case) -> None:
    outputs, p, thresholds = case
    labels = labels_from_probabilities(p, outputs, thresholds)
    for region in outputs.scheme.regions:
        mask = outputs.scheme.mask(labels, region)
        above = p[outputs.channels.index(region.identifier)] > thresholds[region.identifier]
        assert (mask <= above).all()
        if region.parent is not None:
            around = outputs.scheme.mask(labels, outputs.scheme.region(region.parent))
            assert (mask <= around).all()
    outermost = [outputs.channels.index(r.identifier) for r in outputs.scheme.outermost()]
    limits = [thresholds[outputs.channels[channel]] for channel in outermost]
    above = [p[c] > limit for c, limit in zip(outermost, limits, strict=True)]
    np.testing.assert_array_equal(labels > 0, np.any(above, axis=0))


@given(cases(sigmoid_outputs()))
def test_a_voxel_has_the_own_label_of_the_last_region_that_it_lies_in(case) -> None:
    """The plainest way to say it, voxel by voxel."""
    outputs, p, thresholds = case
    expected = []
    for voxel in p.T:
        value, within = 0, set()
        for region, own_label in outputs.scheme.painted():
            above = voxel[outputs.channels.index(region.identifier)] > np.float32(
                thresholds[region.identifier]
            )
            if above and (region.parent is None or region.parent in within):
                within.add(region.identifier)
                value = own_label
        expected.append(value)
    assert labels_from_probabilities(p, outputs, thresholds).tolist() == expected


@given(cases(sigmoid_outputs(nested=False)))
def test_regions_that_are_not_nested_are_painted_over_one_another(case) -> None:
    outputs, p, thresholds = case
    labels = labels_from_probabilities(p, outputs, thresholds)
    painted = outputs.scheme.painted()
    above = [p[outputs.channels.index(r.identifier)] > thresholds[r.identifier] for r, _ in painted]
    np.testing.assert_array_equal(labels > 0, np.any(above, axis=0))
    _last, value = painted[-1]
    assert (labels[above[-1]] == value).all()


@given(cases(softmax_outputs()))
def test_softmax_at_one_half_is_the_plain_argmax(case) -> None:
    outputs, p, _thresholds = case
    values = {each.identifier: each.value for each in outputs.scheme.labels}
    expected = [values.get(outputs.channels[channel], 0) for channel in p.argmax(axis=0)]
    assert labels_from_probabilities(p, outputs, own(outputs)).tolist() == expected


@given(cases(softmax_outputs()), st.floats(LOWEST_THRESHOLD, 1.0))
def test_a_lower_threshold_never_makes_an_outermost_region_smaller(case, other: float) -> None:
    outputs, p, thresholds = case
    for region in outputs.scheme.outermost():
        low, high = sorted((other, thresholds[region.identifier]))
        few = labels_from_probabilities(p, outputs, thresholds | {region.identifier: high})
        many = labels_from_probabilities(p, outputs, thresholds | {region.identifier: low})
        assert ((few > 0) <= (many > 0)).all()


@given(cases(st.one_of(sigmoid_outputs(), sigmoid_outputs(nested=False), softmax_outputs())))
def test_what_is_labelled_can_be_tumour_and_a_peak_of_odds_one_is_anywhere_in_it(case) -> None:
    outputs, p, thresholds = case
    found = labels_from_probabilities(p, outputs, thresholds) > 0
    if outputs.activation == "softmax" or outputs.nested:
        assert (tumour_probability(p, outputs)[found] > LOWEST_THRESHOLD).all()
        assert where_sure(p, outputs, ResolvedRefinement(thresholds, 0.0, 1.0))[found].all()


def test_labels_are_the_differences_of_the_regions() -> None:
    p = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]], dtype=np.float32)
    assert labels_from_probabilities(p, TUMOUR, own(TUMOUR)).tolist() == [0, 2, 1, 3]


def test_thresholds_are_per_region() -> None:
    p = np.full((3, 1), 0.6, dtype=np.float32)
    thresholds = {"ET": 0.7, "TC": 0.5, "WT": 0.5}
    assert labels_from_probabilities(p, TUMOUR, thresholds).tolist() == [1]


def test_a_cavity_is_a_label_of_its_own() -> None:
    p = np.array([[0, 0.9], [0, 0.9], [0.1, 0.9], [0.7, 0.5]], dtype=np.float32)
    assert labels_from_probabilities(p, POSTOPERATIVE, own(POSTOPERATIVE)).tolist() == [4, 3]
    np.testing.assert_allclose(tumour_probability(p, POSTOPERATIVE), [0.7, 0.9], rtol=1e-6)


def test_regions_without_parents_are_painted_in_their_order() -> None:
    regions = tuple(
        Region(identifier=name, name=name, labels=labels)
        for name, labels in (("whole", (1, 2, 3)), ("inner", (2, 3)), ("spot", (3,)))
    )
    labels = tuple(label(value, f"l{value}", f"L{value}") for value in (1, 2, 3))
    outputs = Outputs(
        activation="sigmoid",
        channels=("whole", "inner", "spot"),
        scheme=scheme(labels, regions),
        nested=False,
    )
    p = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=np.float32)
    assert labels_from_probabilities(p, outputs, own(outputs)).tolist() == [1, 2, 2, 3]


def test_a_region_with_no_label_of_its_own_cannot_be_a_channel() -> None:
    regions = (
        Region(identifier="all", name="all", labels=(1, 2)),
        Region(identifier="one", name="one", labels=(1,), parent="all"),
        Region(identifier="two", name="two", labels=(2,), parent="all"),
    )
    both = scheme((label(1, "a", "A"), label(2, "b", "B")), regions)
    with pytest.raises(ValueError, match="region all must have one label of its own"):
        Outputs(activation="sigmoid", channels=("all", "one", "two"), scheme=both)
    assert Outputs(activation="softmax", channels=("background", "a", "b"), scheme=both)
