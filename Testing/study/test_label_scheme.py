from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.study.label_scheme import Label, LabelScheme, Region
from BrainSegAccelLib.study.modality import Modality
from hypothesis import given
from label_schemes import POSTOPERATIVE, TUMOUR, label, nested_schemes, scheme

ONE, TWO = label(1, "one", "One"), label(2, "two", "Two", aliases=(7,))
BOTH = Region(identifier="both", name="both", labels=(1, 2))


def region(identifier: str, *labels: int, name: str = "", parent: str | None = None) -> Region:
    return Region(identifier=identifier, name=name or identifier, labels=labels, parent=parent)


@pytest.mark.parametrize(
    ("labels", "regions", "problem"),
    [
        ((ONE, label(1, "other", "Other")), (BOTH,), "label values must differ"),
        ((ONE, label(7, "other", "Other"), TWO), (BOTH,), "label values must differ"),
        ((ONE, label(2, "one", "Other")), (BOTH,), "label identifiers must differ"),
        ((ONE, label(2, "other", "ONE")), (BOTH,), "label names must differ"),
        ((ONE, TWO), (BOTH, region("both", 1, name="x")), "region identifiers must differ"),
        ((ONE, TWO), (BOTH, region("x", 1, name="Both")), "region names must differ"),
        ((ONE, TWO), (region("x", 1, 2, 2),), "labels of region x must differ"),
        ((ONE, TWO), (region("x", 1, 2, 3),), "region x: labels"),
        ((ONE, TWO), (BOTH, region("x", 1, parent="y")), "x does not lie within y"),
        ((ONE, TWO), (BOTH, region("x", 1, 2, parent="both")), "x does not lie within both"),
        ((ONE, TWO), (region("one", 1, 2),), "one is a label and a region of other labels"),
        ((ONE, TWO), (region("x", 1),), r"labels of no region: \[2\]"),
    ],
)
def test_a_scheme_that_contradicts_itself_is_refused(
    labels: tuple[Label, ...], regions: tuple[Region, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        scheme(labels, regions)


def test_a_region_may_be_called_like_the_label_that_it_is() -> None:
    made = scheme((ONE, TWO), (BOTH, region("one", 1, parent="both")))
    assert made.painted() == ((BOTH, 2), (made.region("one"), 1))


@given(nested_schemes())
def test_regions_are_painted_after_those_around_them_each_with_a_label_of_its_own(
    drawn: LabelScheme,
) -> None:
    painted = drawn.painted()
    assert [found for found, _ in painted] == list(drawn.outermost_first())
    assert sorted(value for _, value in painted) == sorted(each.value for each in drawn.labels)
    before: set[str] = set()
    for found, value in painted:
        assert value in found.labels
        assert found.parent is None or found.parent in before
        before.add(found.identifier)


@given(nested_schemes())
def test_a_mask_is_where_the_labels_of_a_region_are(drawn: LabelScheme) -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    for found in drawn.regions:
        assert np.flatnonzero(drawn.mask(labels, found)).tolist() == sorted(found.labels)


def test_labels_are_found_by_values_and_aliases() -> None:
    assert TUMOUR.scheme.label(4).identifier == "enhancing_tumour"
    assert POSTOPERATIVE.scheme.label(4).identifier == "cavity"
    with pytest.raises(KeyError):
        POSTOPERATIVE.scheme.label(5)


def test_what_tells_a_region_is_what_tells_its_only_label() -> None:
    told_by = {found.identifier: TUMOUR.scheme.told_by(found) for found in TUMOUR.scheme.regions}
    assert told_by == {"ET": (Modality.T1C,), "TC": (), "WT": ()}
    assert TUMOUR.scheme.whole.identifier == "WT"
