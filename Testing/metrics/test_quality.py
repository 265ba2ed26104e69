from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.metrics.dice import dice, dice_of_counts
from BrainSegAccelLib.metrics.hd95 import HD95_ONE_EMPTY_MM, Mask, hd95
from BrainSegAccelLib.metrics.regions import score
from BrainSegAccelLib.study.segmentation import Segmentation
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_schemes import POSTOPERATIVE, TUMOUR

ISOTROPIC = (1.0, 1.0, 1.0)

shapes = array_shapes(min_dims=3, max_dims=3, max_side=7)
spacings = st.tuples(*[st.floats(0.3, 5.0)] * 3)


@st.composite
def mask_pairs(draw: st.DrawFn) -> tuple[Mask, Mask]:
    shape = draw(shapes)
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


def random_pair(seed: int) -> tuple[Mask, Mask, tuple[float, float, float]]:
    """Two masks of any density, not empty, and an anisotropic spacing along (i, j, k)."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 13, 3))
    one, other = (rng.random(shape) < rng.uniform(0.02, 1.0) for _ in range(2))
    one.flat[rng.integers(one.size)] = other.flat[rng.integers(one.size)] = True
    i, j, k = rng.uniform(0.3, 5.0, 3)
    return one, other, (i, j, k)


def by_monai(one: Mask, other: Mask, spacing: tuple[float, ...]) -> tuple[float, float]:
    """Dice and HD95 by MONAI, which takes the spacing in array order; no mask may be empty."""
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    y_pred, y = (torch.from_numpy(mask)[None, None].float() for mask in (one, other))
    distance = metrics.compute_hausdorff_distance(
        y_pred, y, include_background=True, percentile=95, spacing=spacing[::-1]
    )
    overlap = metrics.compute_dice(y_pred, y, include_background=True)
    return overlap.item(), distance.item()


@pytest.mark.filterwarnings("ignore::FutureWarning:monai")
@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_monai(seed: int) -> None:
    one, other, spacing = random_pair(seed)
    overlap, distance = by_monai(one, other, spacing)
    assert hd95(one, other, spacing) == pytest.approx(distance, abs=1e-4)
    assert dice(one, other) == pytest.approx(overlap, abs=1e-6)


def tumour(seed: int, shape: tuple[int, int, int] = (48, 60, 54)) -> np.ndarray:
    """Nested balls of oedema, core and enhancing rim, with specks of any label far and near."""
    rng = np.random.default_rng(seed)
    centre, radius = rng.uniform(0.3, 0.7, 3) * shape, rng.uniform(5, 16)
    apart = np.moveaxis(np.indices(shape), 0, -1) - centre
    distance = np.sqrt((apart**2).sum(-1)) + rng.normal(0, 0.5, shape)
    labels = np.select(
        [distance < 0.4 * radius, distance < 0.7 * radius, distance < radius], [1, 3, 2]
    )
    for _ in range(rng.integers(8)):
        k, j, i = (int(rng.integers(n)) for n in shape)
        side = rng.integers(1, 4)
        labels[k : k + side, j : j + side, i : i + side] = rng.integers(1, 4)
    return labels.astype(np.uint8)


def segmentation(
    labels: np.ndarray, spacing: tuple[float, float, float] = ISOTROPIC
) -> Segmentation:
    return Segmentation(labels, Grid(labels.shape, np.diag([*spacing, 1.0])), TUMOUR.scheme)


@pytest.mark.filterwarnings("ignore::FutureWarning:monai")
@pytest.mark.parametrize("seed", range(12))
def test_label_maps_with_specks_agree_with_monai(seed: int) -> None:
    prediction, reference = tumour(seed), tumour(seed + 1000 * (seed % 2))
    prediction = np.roll(prediction, seed % 5, seed % 3)
    spacing = (1.0, 1.0, 1.0) if seed % 3 else (0.7, 1.1, 4.0)
    found = score(segmentation(prediction, spacing), segmentation(reference, spacing))
    for region in TUMOUR.scheme.regions:
        one, other = (np.isin(labels, region.labels) for labels in (prediction, reference))
        overlap, distance = by_monai(one, other, spacing)
        assert found[region.identifier].dice == pytest.approx(overlap, abs=1e-6)
        assert found[region.identifier].hd95_mm == pytest.approx(distance, abs=1e-4)


def _box(*sides: slice) -> Mask:
    mask = np.zeros((20, 24, 28), dtype=bool)
    mask[sides] = True
    return mask


ALL = slice(None)
EDGE_CASES = {
    "whole volumes": (_box(), _box()),
    "a voxel against the whole volume": (_box(0, 0, 0), _box()),
    "opposite corners": (_box(0, 0, 0), _box(-1, -1, -1)),
    "two plates": (_box(3, ALL, ALL), _box(15, ALL, ALL)),
    "a line against a plate": (_box(ALL, 5, 5), _box(ALL, ALL, 27)),
    "bodies that do not meet": (_box(ALL, slice(0, 8)), _box(ALL, slice(14, 24))),
    "one of two bodies is missed": (_box(slice(2, 5)), _box(slice(2, 5)) | _box(slice(12, 18))),
    "a body, and a speck elsewhere": (_box(slice(2, 9), slice(2, 9)), _box(19, 23, 27)),
}


@pytest.mark.filterwarnings("ignore::FutureWarning:monai")
@pytest.mark.parametrize("pair", EDGE_CASES.values(), ids=EDGE_CASES.keys())
def test_edge_cases_agree_with_monai(pair: tuple[Mask, Mask]) -> None:
    spacing = (0.9, 1.3, 2.0)
    overlap, distance = by_monai(*pair, spacing)
    assert dice(*pair) == pytest.approx(overlap, abs=1e-6)
    assert hd95(*pair, spacing) == pytest.approx(distance, abs=1e-4)


def test_two_single_voxels_are_as_far_apart_as_their_centres() -> None:
    one, other = np.zeros((2, 9, 9, 9), dtype=bool)
    one[1, 2, 3] = other[3, 5, 7] = True
    assert hd95(one, other, (0.5, 2.0, 3.0)) == pytest.approx(np.hypot.reduce([2.0, 6.0, 6.0]))


def test_the_larger_directed_percentile_counts() -> None:
    one, other = np.zeros((2, 3, 3, 60), dtype=bool)
    one[1, 1, :10] = True
    other[1, 1, :50] = True
    # From the long mask to the short one the distances are 0 ten times, then 1 to 40 mm.
    expected = np.percentile([0] * 10 + list(range(1, 41)), 95)
    assert hd95(one, other, ISOTROPIC) == pytest.approx(expected)


def test_inner_voxels_are_no_surface() -> None:
    solid = np.zeros((20, 20, 20), dtype=bool)
    solid[4:16, 4:16, 4:16] = True
    shell = solid.copy()
    shell[5:15, 5:15, 5:15] = False
    assert dice(solid, shell) < 0.7
    assert hd95(solid, shell, ISOTROPIC) == 0.0


@given(mask_pairs(), spacings)
@settings(max_examples=60, deadline=None)
def test_symmetric(pair: tuple[Mask, Mask], spacing: tuple[float, float, float]) -> None:
    one, other = pair
    assert dice(one, other) == dice(other, one)
    assert hd95(one, other, spacing) == hd95(other, one, spacing)


@given(mask_pairs(), spacings)
@settings(max_examples=40, deadline=None)
def test_does_not_depend_on_where_the_masks_lie(
    pair: tuple[Mask, Mask], spacing: tuple[float, float, float]
) -> None:
    one, other = pair
    moved = [np.pad(mask, ((2, 5), (0, 3), (4, 1))) for mask in pair]
    assert dice(*moved) == dice(one, other)
    assert hd95(*moved, spacing) == pytest.approx(hd95(one, other, spacing), abs=1e-4)


@given(mask_pairs(), spacings, st.permutations(range(3)))
@settings(max_examples=40, deadline=None)
def test_follows_the_axes(
    pair: tuple[Mask, Mask], spacing: tuple[float, float, float], order: list[int]
) -> None:
    one, other = (mask.transpose(order) for mask in pair)
    turned = tuple(spacing[::-1][axis] for axis in order)[::-1]
    assert hd95(one, other, turned) == pytest.approx(hd95(*pair, spacing), abs=1e-4)


@given(mask_pairs(), spacings)
@settings(max_examples=40, deadline=None)
def test_grows_with_the_voxels(
    pair: tuple[Mask, Mask], spacing: tuple[float, float, float]
) -> None:
    one, other = pair
    doubled = tuple(2.0 * size for size in spacing)
    expected = hd95(one, other, spacing) * (2.0 if one.any() and other.any() else 1.0)
    assert hd95(one, other, doubled) == pytest.approx(expected, abs=1e-3)


@given(arrays(bool, shapes))
@settings(max_examples=30, deadline=None)
def test_a_mask_agrees_with_itself(mask: Mask) -> None:
    assert dice(mask, mask) == 1.0
    assert hd95(mask, mask, ISOTROPIC) == 0.0


@given(mask_pairs())
@settings(max_examples=30, deadline=None)
def test_dice_of_counts_adds_cases_up(pair: tuple[Mask, Mask]) -> None:
    one, other = pair
    common = np.array([np.count_nonzero(one & other), 0, 0])
    sizes = np.array([np.count_nonzero(one) + np.count_nonzero(other), 7, 0])
    assert dice_of_counts(common, sizes).tolist() == [dice(one, other), 0.0, 1.0]
    # Two cases in one row behind each other are one case of both.
    both = [np.concatenate([mask, ~mask]) for mask in pair]
    counted = [np.count_nonzero(~one & ~other), np.count_nonzero(~one) + np.count_nonzero(~other)]
    assert dice_of_counts(common[0] + counted[0], sizes[0] + counted[1]) == dice(*both)


def test_empty_masks_follow_brats() -> None:
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)
    assert (dice(empty, empty), hd95(empty, empty, ISOTROPIC)) == (1.0, 0.0)
    for pair in ((empty, full), (full, empty)):
        assert dice(*pair) == 0.0
        assert hd95(*pair, ISOTROPIC) == HD95_ONE_EMPTY_MM
    assert pytest.approx(373.1287, abs=1e-4) == HD95_ONE_EMPTY_MM


def test_score_takes_every_region_on_its_own() -> None:
    reference = np.zeros((12, 12, 12), dtype=np.uint8)
    reference[2:10, 2:10, 2:10] = 2
    reference[4:8, 4:8, 4:8] = 3
    prediction = reference.copy()
    prediction[2, 2:10, 2:10] = 0
    spacing = (1.0, 1.0, 2.0)
    found = score(segmentation(prediction, spacing), segmentation(reference, spacing))
    assert (found["ET"].dice, found["ET"].hd95_mm) == (1.0, 0.0)
    assert found["TC"].dice == 1.0
    assert found["WT"].dice == pytest.approx(2 * 7 / (7 + 8))
    assert found["WT"].hd95_mm == pytest.approx(2.0)


def test_empty_label_maps_agree() -> None:
    empty = segmentation(np.zeros((3, 3, 3), dtype=np.uint8))
    assert {(s.dice, s.hd95_mm) for s in score(empty, empty).values()} == {(1.0, 0.0)}


def test_regions_are_those_of_the_scheme() -> None:
    """A cavity is a region of its own, and no part of the tumour around it."""
    scheme, grid = POSTOPERATIVE.scheme, Grid((3, 3, 4), np.eye(4))
    reference = np.zeros(grid.shape, dtype=np.uint8)
    reference[1, 1] = [2, 3, 4, 4]
    prediction = reference.copy()
    prediction[1, 1, 3] = 0
    found = score(Segmentation(prediction, grid, scheme), Segmentation(reference, grid, scheme))
    assert [(name, scores.dice) for name, scores in found.items()] == [
        ("lesion", 1.0),
        ("core", 1.0),
        ("rim", 1.0),
        ("cavity", pytest.approx(2 / 3)),
    ]


def test_other_schemes_are_refused() -> None:
    grid, labels = Grid((3, 3, 3), np.eye(4)), np.zeros((3, 3, 3), dtype=np.uint8)
    one, other = (Segmentation(labels, grid, o.scheme) for o in (TUMOUR, POSTOPERATIVE))
    with pytest.raises(ValueError, match="label schemes differ"):
        score(one, other)


def test_other_shapes_are_refused() -> None:
    one, other = np.zeros((3, 3, 3), dtype=bool), np.zeros((3, 3, 4), dtype=bool)
    for compare in (
        dice,
        lambda a, b: hd95(a, b, ISOTROPIC),
        lambda a, b: score(segmentation(a), segmentation(b)),
    ):
        with pytest.raises(ValueError, match="shapes differ"):
            compare(one, other)
