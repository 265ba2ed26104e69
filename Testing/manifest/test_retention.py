from __future__ import annotations

import numpy as np
from BrainSegAccelLib.backends.protocol import Precision
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.manifest.model import ReferenceRun
from BrainSegAccelLib.manifest.retention import quality_retention
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR

RUN = ReferenceRun(backend="eager", version="2.13", precision=Precision.FP32)
GRID = Grid((16, 16, 16), np.eye(4))


def cube(size: int, label: int = 3) -> Segmentation:
    labels = np.zeros((16, 16, 16), dtype=np.uint8)
    labels[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = label
    return Segmentation(labels, GRID, TUMOUR.scheme)


def test_equal_runs_lose_nothing() -> None:
    found = quality_retention(cube(6), cube(6), RUN, truth=cube(8))
    assert found.truth == "ground truth"
    assert found.delta_dice == found.delta_hd95_mm == dict.fromkeys(("ET", "TC", "WT"), 0)
    assert found.agreement_dice == dict.fromkeys(("ET", "TC", "WT"), 1)


def test_deltas_are_candidate_minus_reference() -> None:
    truth, reference, candidate = cube(8), cube(8), cube(6)
    found = quality_retention(candidate, reference, RUN, truth=truth)
    overlap = dice(candidate.labels == 3, truth.labels == 3)
    assert found.delta_dice is not None
    assert abs(found.delta_dice["ET"] - (overlap - 1.0)) < 1e-6
    assert found.delta_hd95_mm is not None
    assert found.delta_hd95_mm["ET"] > 0
    better = quality_retention(reference, candidate, RUN, truth=truth)
    assert better.delta_dice is not None
    assert better.delta_dice["ET"] == -found.delta_dice["ET"]


def test_without_a_truth_the_reference_run_stands_in() -> None:
    found = quality_retention(cube(6), cube(8), RUN)
    assert found.truth == "reference run"
    assert found.agreement_dice is not None
    assert found.delta_dice is not None
    assert abs(found.delta_dice["WT"] - (found.agreement_dice["WT"] - 1.0)) < 1e-6
