from __future__ import annotations

import numpy as np
from BrainSegAccelLib.backends.protocol import Precision
from BrainSegAccelLib.manifest.model import PerRegion, ReferenceRun
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.metrics.regions import region_mask
from BrainSegAccelLib.metrics.retention import quality_retention
from BrainSegAccelLib.study.regions import Region

RUN = ReferenceRun(backend="eager", version="2.13", precision=Precision.FP32)
SPACING = (1.0, 1.0, 1.0)


def cube(size: int, label: int = 3) -> np.ndarray:
    labels = np.zeros((16, 16, 16), dtype=np.uint8)
    labels[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = label
    return labels


def test_equal_runs_lose_nothing() -> None:
    found = quality_retention(cube(6), cube(6), SPACING, RUN, truth=cube(8, label=4))
    assert found.truth == "ground truth"
    assert found.delta_dice == found.delta_hd95_mm == PerRegion(ET=0, TC=0, WT=0)
    assert found.agreement_dice == PerRegion(ET=1, TC=1, WT=1)


def test_deltas_are_candidate_minus_reference() -> None:
    truth, reference, candidate = cube(8), cube(8), cube(6)
    found = quality_retention(candidate, reference, SPACING, RUN, truth=truth)
    overlap = dice(region_mask(candidate, Region.ET), region_mask(truth, Region.ET))
    assert found.delta_dice is not None
    assert abs(found.delta_dice.ET - (overlap - 1.0)) < 1e-6
    assert found.delta_hd95_mm is not None
    assert found.delta_hd95_mm.ET > 0
    better = quality_retention(reference, candidate, SPACING, RUN, truth=truth)
    assert better.delta_dice is not None
    assert better.delta_dice.ET == -found.delta_dice.ET


def test_without_a_truth_the_reference_run_stands_in() -> None:
    found = quality_retention(cube(6), cube(8), SPACING, RUN)
    assert found.truth == "reference run"
    assert found.agreement_dice is not None
    assert found.delta_dice is not None
    assert abs(found.delta_dice.WT - (found.agreement_dice.WT - 1.0)) < 1e-6
