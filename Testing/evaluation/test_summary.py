"""Means by the report's conventions, and MONAI's own means of the same label maps."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.evaluation.report import (
    CaseRecord,
    Outcome,
    RegionScores,
    SubsetScores,
    scores_by_region,
)
from BrainSegAccelLib.evaluation.summary import over_subsets, summarise, summarise_subsets
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.metrics.regions import Scores
from BrainSegAccelLib.study.modality import Modality, subsets
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR

REGIONS = ("ET", "TC", "WT")
GRID = Grid((20, 24, 22), np.eye(4))


def random_labels(rng: np.random.Generator) -> np.ndarray:
    """A label map in which any region may be absent."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    for label in rng.permutation([1, 2, 3])[: rng.integers(4)]:
        low = [int(rng.integers(n - 4)) for n in GRID.shape]
        k, j, i = (slice(n, n + int(rng.integers(2, 10))) for n in low)
        labels[k, j, i] = label
    return labels


def case(name: str, prediction: np.ndarray, reference: np.ndarray) -> CaseRecord:
    ours, truth = (Segmentation(labels, GRID, TUMOUR.scheme) for labels in (prediction, reference))
    scores = scores_by_region(ours, truth)
    return CaseRecord(
        case=name,
        modalities=tuple(Modality),
        regions=scores,
        no_network=scores["WT"],
        subsets=(),
    )


def masks(labels: np.ndarray) -> np.ndarray:
    return np.stack([TUMOUR.scheme.mask(labels, region) for region in TUMOUR.scheme.regions])


@pytest.mark.filterwarnings("ignore::FutureWarning:monai", "ignore::UserWarning")
def test_means_agree_with_monai() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    pairs = [(random_labels(rng), random_labels(rng)) for _ in range(24)]
    means = summarise([case(str(n), *pair) for n, pair in enumerate(pairs)], TUMOUR.scheme).regions
    predicted, expected = (
        torch.from_numpy(np.stack([masks(pair[side]) for pair in pairs])).float() for side in (0, 1)
    )
    for ignore_empty in (True, False):
        metric = metrics.DiceMetric(reduction="mean_batch", ignore_empty=ignore_empty)
        metric(predicted, expected)
        for region, value in zip(REGIONS, metric.aggregate(), strict=True):
            ours = means[region].dice if ignore_empty else means[region].dice_empty_counted
            assert ours == pytest.approx(value.item(), abs=1e-5)
    # MONAI leaves HD95 of an empty mask as nan or infinity: compare where neither is empty.
    metric = metrics.HausdorffDistanceMetric(include_background=True, percentile=95)
    distances = metric(predicted, expected).numpy()
    for column, region in enumerate(REGIONS):
        both = [n for n in range(24) if predicted[n, column].any() and expected[n, column].any()]
        found = summarise([case(str(n), *pairs[n]) for n in both], TUMOUR.scheme).regions[region]
        assert found.hd95_mm == pytest.approx(distances[both, column].mean(), abs=1e-4)
        assert found.cases == len(both) > 3


def scores(dice: float, *, predicted: float = 1.0, reference: float = 1.0) -> RegionScores:
    return RegionScores.of(Scores(dice, 10 * (1 - dice), predicted, reference))


@pytest.mark.parametrize(
    ("predicted", "reference", "outcome"),
    [
        (1.0, 1.0, Outcome.FOUND),
        (0.0, 1.0, Outcome.MISSED),
        (1.0, 0.0, Outcome.FALSE_POSITIVE),
        (0.0, 0.0, Outcome.RIGHTLY_EMPTY),
    ],
)
def test_outcomes(predicted: float, reference: float, outcome: Outcome) -> None:
    assert scores(0.5, predicted=predicted, reference=reference).outcome is outcome


def test_a_mean_of_nothing_has_a_reason() -> None:
    absent = scores(1.0, predicted=0.0, reference=0.0)
    record = CaseRecord(
        case="a",
        modalities=(Modality.T1,),
        regions=dict.fromkeys(REGIONS, absent),
        no_network=None,
        subsets=(),
        reason="no FLAIR",
    )
    found = summarise([record], TUMOUR.scheme)
    assert found.regions["ET"].dice is None
    assert found.regions["ET"].dice_empty_counted == 1.0
    assert found.no_network.dice_empty_counted is None
    assert found.no_network.reason


def whole(name: str, dice_of: dict[tuple[Modality, ...], float]) -> CaseRecord:
    """A case whose subsets reach a Dice in every region."""
    return CaseRecord(
        case=name,
        modalities=tuple(Modality),
        regions=dict.fromkeys(REGIONS, scores(1.0)),
        no_network=scores(0.25),
        subsets=tuple(
            SubsetScores(modalities=modalities, regions=dict.fromkeys(REGIONS, scores(dice)))
            for modalities, dice in dice_of.items()
        ),
    )


def test_means_over_subsets_are_means_of_means() -> None:
    dice_of = {modalities: 0.2 * len(modalities) for modalities in subsets()}
    without = {m: dice for m, dice in dice_of.items() if Modality.T1 not in m}
    cases = [whole("a", dice_of), whole("b", without)]
    summaries = summarise_subsets(cases, TUMOUR.scheme)
    assert [s.cases for s in summaries] == [2 if Modality.T1 not in m else 1 for m in subsets()]
    found = over_subsets(summaries, TUMOUR.scheme)
    assert found.regions["WT"].dice == pytest.approx(0.2 * 32 / 15)
    assert found.regions["ET"].dice == pytest.approx(0.2 * 20 / 8)
    assert found.untold["ET"].dice == pytest.approx(0.2 * 12 / 7)
    assert found.no_network.dice == pytest.approx(0.25)
    assert found.no_network.subsets == 8
    assert found.lowest == (Modality.T1,)
    assert found.lowest_share == pytest.approx(0.25)


def test_without_a_case_of_all_four_there_is_no_share() -> None:
    summaries = summarise_subsets([whole("a", {(Modality.T1,): 0.5})], TUMOUR.scheme)
    found = over_subsets(summaries, TUMOUR.scheme)
    assert found.lowest == (Modality.T1,)
    assert found.lowest_share is None
    assert found.regions["ET"].dice is None
