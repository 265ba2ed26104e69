"""The shipped weights on real labelled cases, where somebody has some."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.metrics.regions import score
from BrainSegAccelLib.runs.pipeline import Pipeline
from label_schemes import TUMOUR

VARIABLE = "BRAINSEGACCEL_REAL_CASES"
LEAST_MEAN_WT_DICE = 0.75


@pytest.fixture(scope="module")
def labelled() -> list[Path]:
    """Folders of cases with modalities and ``seg.nii.gz``, below the folder's ``labelled``."""
    root = os.environ.get(VARIABLE)
    if not root:
        pytest.skip(f"{VARIABLE} names no folder of real cases")
    cases = sorted(path.parent for path in Path(root, "labelled").glob("*/seg.nii.gz"))
    assert cases, f"no labelled/*/seg.nii.gz below {root}"
    return cases


def test_the_whole_tumour_is_found(labelled: list[Path], engine_cache: EngineCache) -> None:
    pipeline = Pipeline(engine=EngineChoice(backend="openvino"), cache=engine_cache)
    found = []
    for case in labelled:
        study, truth = read_study(discover(case)), read_labels(case / "seg.nii.gz", TUMOUR.scheme)
        result = pipeline.run(study)
        assert result.segmentation.grid.same_as(study.reference_grid)
        assert result.windows == 1
        found.append(score(result.segmentation, truth)["WT"].dice)
    assert np.mean(found) >= LEAST_MEAN_WT_DICE
