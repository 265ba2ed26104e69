from __future__ import annotations

import json

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.models.description import LOWEST_THRESHOLD
from BrainSegAccelLib.postprocessing.refinement import Refinement, ResolvedRefinement
from hypothesis import given
from hypothesis import strategies as st
from label_schemes import POSTOPERATIVE, TUMOUR


@given(threshold=st.floats(LOWEST_THRESHOLD, 1.0), peak_odds=st.floats(1.0, 1e6))
def test_the_peak_lies_between_the_threshold_and_certainty(threshold, peak_odds) -> None:
    region = TUMOUR.scheme.region("WT")
    resolved = ResolvedRefinement({"ET": 0.5, "TC": 0.5, "WT": threshold}, 0.0, peak_odds)
    assert threshold - 1e-9 <= resolved.lowest_peak(region) <= 1.0


def test_what_is_left_out_is_as_the_model_has_it() -> None:
    regions = {"rim": 0.5, "core": 0.5, "lesion": 0.5, "cavity": 0.6}
    assert Refinement().resolve(POSTOPERATIVE) == ResolvedRefinement(regions, 0.1, 2.0)
    asked = Refinement(thresholds={"rim": 0.3}, smallest_lesion_ml=0.0, peak_odds=1.0)
    assert asked.resolve(POSTOPERATIVE) == ResolvedRefinement(regions | {"rim": 0.3}, 0.0, 1.0)


def test_a_region_that_the_model_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"threshold of ET: .*no such region.*lesion, core, rim"):
        Refinement(thresholds={"ET": 0.5}).resolve(POSTOPERATIVE)


@pytest.mark.parametrize(
    "settings",
    [
        {"thresholds": {"ET": LOWEST_THRESHOLD / 2}},
        {"thresholds": {"ET": 1.01}},
        {"thresholds": {"ET": float("nan")}},
        {"smallest_lesion_ml": -1.0},
        {"peak_odds": 0.5},
        {"peak_odds": float("inf")},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="1 validation error for Refinement"):
        Refinement(**settings)


def test_what_was_asked_for_is_a_document() -> None:
    asked = Refinement(thresholds={"ET": 0.25}, peak_odds=3.0)
    document = json.loads(asked.model_dump_json())
    assert document == {"thresholds": {"ET": 0.25}, "smallest_lesion_ml": None, "peak_odds": 3.0}
    assert Refinement.model_validate(document) == asked
