from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.models.description import LOWEST_THRESHOLD
from BrainSegAccelLib.postprocessing.kept import KeptProbabilities, merge
from BrainSegAccelLib.postprocessing.labelling import labels_from_probabilities
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement, ResolvedRefinement
from BrainSegAccelLib.postprocessing.resample import resample_probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from label_schemes import POSTOPERATIVE, TUMOUR

REGIONS = ("ET", "TC", "WT")
GRID = Grid((20, 24, 28), np.diag([1.0, 1.5, 2.0, 1.0]))


def _blob(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Return float32 (3, k, j, i): a soft ball, ET in TC in WT; distances in voxels."""
    axes = np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij")
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)))
    radii = radius * np.array([0.4, 0.7, 1.0])[:, None, None, None]
    return (1.0 / (1.0 + np.exp(2.0 * (distance - radii)))).astype(np.float32)


def _kept(probabilities: np.ndarray) -> KeptProbabilities:
    return resample_probabilities(probabilities, TUMOUR, GRID, GRID)


def _settings(smallest_ml: float, peak_odds: float | None = None) -> ResolvedRefinement:
    return Refinement(smallest_lesion_ml=smallest_ml, peak_odds=peak_odds).resolve(TUMOUR)


TWO = np.maximum(_blob((6, 6, 6), 4.0), _blob((12, 14, 16), 3.0))


@given(thresholds=st.tuples(*[st.floats(LOWEST_THRESHOLD, 0.99)] * 3))
@settings(deadline=None, max_examples=15)
def test_any_threshold_gives_what_the_whole_volume_would(thresholds) -> None:
    chosen = dict(zip(REGIONS, thresholds, strict=True))
    kept = _kept(TWO)
    assert kept.values.size < TWO.size
    result = refine(kept, ResolvedRefinement(chosen, 0.0, 1.0))
    np.testing.assert_array_equal(result.labels, labels_from_probabilities(TWO, TUMOUR, chosen))
    assert result.grid is GRID


def test_the_smallest_lesion_is_set_in_millilitres() -> None:
    kept = _kept(TWO)
    both = refine(kept, _settings(0.0)).volume_ml([1, 2, 3])
    small = refine(kept, _settings(0.5)).volume_ml([1, 2, 3])
    assert 0.5 < small < both
    assert refine(kept, _settings(100.0)).volume_ml([1, 2, 3]) == 0.0


def test_weak_parts_are_found_by_a_lower_threshold() -> None:
    weak = _blob((12, 14, 16), 3.0) * np.float32(0.8)
    kept = _kept(np.maximum(_blob((6, 6, 6), 4.0), weak))

    def whole(threshold: float, peak_odds: float = TUMOUR.peak_odds) -> np.ndarray:
        chosen = dict.fromkeys(REGIONS, threshold)
        return refine(kept, ResolvedRefinement(chosen, 0.0, peak_odds)).labels[12, 14, 16]

    assert not whole(0.5)
    assert whole(0.5, peak_odds=1.0)
    assert whole(0.1)


def test_nothing_is_refined_to_nothing() -> None:
    labels = refine(KeptProbabilities.nothing(GRID, TUMOUR), _settings(0.05)).labels
    assert labels.shape == GRID.shape
    assert not labels.any()


@pytest.mark.parametrize("empty", ["base", "inside", "neither"])
def test_merging_takes_one_result_inside_and_the_other_outside(empty: str) -> None:
    nothing = KeptProbabilities.nothing(GRID, TUMOUR)
    base = nothing if empty == "base" else _kept(_blob((6, 6, 6), 4.0))
    inside = nothing if empty == "inside" else _kept(_blob((8, 9, 9), 4.0))
    roi = Roi.from_corners(np.array([8.5, 0.0, 0.0]), np.array([40.0, 40.0, 40.0]))
    mask = roi.mask(GRID)
    assert mask.any()
    assert not mask.all()
    plain = _settings(0.0, 1.0)
    merged = refine(merge(base, inside, roi), plain).labels
    expected = np.where(mask, refine(inside, plain).labels, refine(base, plain).labels)
    np.testing.assert_array_equal(merged, expected)
    assert merged.any()


def test_results_on_two_grids_are_not_merged() -> None:
    other = KeptProbabilities.nothing(Grid((20, 24, 28), np.eye(4)), TUMOUR)
    roi = Roi(np.diag([9.0, 9.0, 9.0, 1.0]))
    with pytest.raises(InputError, match="earlier result: lies on another grid"):
        merge(other, KeptProbabilities.nothing(GRID, TUMOUR), roi)


def test_results_of_two_kinds_are_not_merged() -> None:
    other = KeptProbabilities.nothing(GRID, POSTOPERATIVE)
    with pytest.raises(InputError, match="earlier result: is of a model with other outputs"):
        merge(other, KeptProbabilities.nothing(GRID, TUMOUR), Roi(np.eye(4)))
