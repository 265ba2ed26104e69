"""The order of the channels and the choice of the reference."""

from __future__ import annotations

import pytest
from BrainSegAccelLib.study.modality import Modality, reference_of
from hypothesis import given
from hypothesis import strategies as st


def test_channel_order_is_fixed() -> None:
    assert [(str(m), m.channel, m.label) for m in Modality] == [
        ("t1", 0, "T1"),
        ("t1c", 1, "T1c"),
        ("t2", 2, "T2"),
        ("flair", 3, "FLAIR"),
    ]


@given(st.sets(st.sampled_from(list(Modality)), min_size=1))
def test_reference_is_the_first_of_t1c_t1_flair_t2(present: set[Modality]) -> None:
    order = [Modality.T1C, Modality.T1, Modality.FLAIR, Modality.T2]
    reference = reference_of(present)
    assert reference in present
    assert not present & set(order[: order.index(reference)])


def test_no_modality_has_no_reference() -> None:
    with pytest.raises(ValueError, match="no modality"):
        reference_of([])
