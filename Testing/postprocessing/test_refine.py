from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.postprocessing.refine import (
    LOWEST_THRESHOLD,
    PEAK_ODDS,
    KeptProbabilities,
    Refinement,
    merge,
    refine,
)
from BrainSegAccelLib.postprocessing.regions_to_labels import labels_from_probabilities
from BrainSegAccelLib.postprocessing.restore import keep
from BrainSegAccelLib.study.regions import Region
from hypothesis import given, settings
from hypothesis import strategies as st

GRID = Grid((20, 24, 28), np.diag([1.0, 1.5, 2.0, 1.0]))


def _blob(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Return float32 (3, k, j, i): a soft ball, ET in TC in WT; distances in voxels."""
    axes = np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij")
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)))
    radii = radius * np.array([0.4, 0.7, 1.0])[:, None, None, None]
    return (1.0 / (1.0 + np.exp(2.0 * (distance - radii)))).astype(np.float32)


TWO = np.maximum(_blob((6, 6, 6), 4.0), _blob((12, 14, 16), 3.0))


@given(thresholds=st.tuples(*[st.floats(LOWEST_THRESHOLD, 0.99)] * 3))
@settings(deadline=None, max_examples=15)
def test_any_threshold_gives_what_the_whole_volume_would(thresholds) -> None:
    chosen = dict(zip(Region, thresholds, strict=True))
    kept = keep(TWO, GRID, GRID)
    assert kept.values.size < TWO.size
    result = refine(kept, Refinement(chosen, smallest_ml=0.0, peak_odds=1.0))
    np.testing.assert_array_equal(result.labels, labels_from_probabilities(TWO, chosen))
    assert result.grid is GRID


def test_the_smallest_lesion_is_set_in_millilitres() -> None:
    kept = keep(TWO, GRID, GRID)
    both = refine(kept, Refinement(smallest_ml=0.0)).volume_ml(1, 2, 3)
    small = refine(kept, Refinement(smallest_ml=0.5)).volume_ml(1, 2, 3)
    assert 0.5 < small < both
    assert refine(kept, Refinement(smallest_ml=100.0)).volume_ml(1, 2, 3) == 0.0


def test_weak_parts_are_found_by_a_lower_threshold() -> None:
    weak = _blob((12, 14, 16), 3.0) * np.float32(0.8)
    kept = keep(np.maximum(_blob((6, 6, 6), 4.0), weak), GRID, GRID)

    def whole(threshold: float, peak_odds: float = PEAK_ODDS) -> np.ndarray:
        chosen = dict.fromkeys(Region, threshold)
        return refine(kept, Refinement(chosen, 0.0, peak_odds)).labels[12, 14, 16]

    assert not whole(0.5)
    assert whole(0.5, peak_odds=1.0)
    assert whole(0.1)


@given(threshold=st.floats(LOWEST_THRESHOLD, 1.0), peak_odds=st.floats(1.0, 1e6))
def test_the_peak_lies_between_the_threshold_and_certainty(threshold, peak_odds) -> None:
    peak = Refinement(dict.fromkeys(Region, threshold), 0.0, peak_odds).lowest_peak
    assert threshold - 1e-9 <= peak <= 1.0


def test_nothing_is_refined_to_nothing() -> None:
    labels = refine(KeptProbabilities.nothing(GRID), Refinement()).labels
    assert labels.shape == GRID.shape
    assert not labels.any()


@pytest.mark.parametrize("empty", ["base", "inside", "neither"])
def test_merging_takes_one_result_inside_and_the_other_outside(empty: str) -> None:
    nothing = KeptProbabilities.nothing(GRID)
    base = nothing if empty == "base" else keep(_blob((6, 6, 6), 4.0), GRID, GRID)
    inside = nothing if empty == "inside" else keep(_blob((8, 9, 9), 4.0), GRID, GRID)
    roi = Roi.from_corners(np.array([8.5, 0.0, 0.0]), np.array([40.0, 40.0, 40.0]))
    mask = roi.mask(GRID)
    assert mask.any()
    assert not mask.all()
    plain = Refinement(smallest_ml=0.0, peak_odds=1.0)
    merged = refine(merge(base, inside, roi), plain).labels
    expected = np.where(mask, refine(inside, plain).labels, refine(base, plain).labels)
    np.testing.assert_array_equal(merged, expected)
    assert merged.any()


def test_results_on_two_grids_are_not_merged() -> None:
    other = KeptProbabilities.nothing(Grid((20, 24, 28), np.eye(4)))
    roi = Roi(np.diag([9.0, 9.0, 9.0, 1.0]))
    with pytest.raises(InputError, match="earlier result: lies on another grid"):
        merge(other, KeptProbabilities.nothing(GRID), roi)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"thresholds": {Region.ET: 0.5}}, "one threshold a region"),
        ({"thresholds": dict.fromkeys(Region, LOWEST_THRESHOLD / 2)}, "from 0.05 to 1"),
        ({"thresholds": dict.fromkeys(Region, float("nan"))}, "from 0.05 to 1"),
        ({"smallest_ml": -1.0}, "cannot have -1.0 ml"),
        ({"peak_odds": 0.5}, "cannot have 0.5 times"),
        ({"peak_odds": float("inf")}, "cannot have inf times"),
    ],
)
def test_settings_out_of_range_are_refused(settings_: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Refinement(**settings_)
