from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.runs.options import MODEL_GRID, RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline


@pytest.mark.parametrize("backend", ["openvino", "eager"])
def test_a_model_of_softmax_gives_the_argmax_of_its_labels(
    backend: str, tmp_path: Path, four_modalities, softmax_card: Path
) -> None:
    package = load_package(softmax_card)
    pipeline = Pipeline(package, EngineChoice(backend=backend), EngineCache(tmp_path / "cache"))
    plain = Refinement(smallest_lesion_ml=0.0, peak_odds=1.0)
    found = pipeline.run(four_modalities, RunOptions(grid=MODEL_GRID, refinement=plain))
    total = found.probabilities.sum(axis=0)[found.segmentation.labels > 0]
    np.testing.assert_allclose(total, 1.0, atol=1e-5)
    expected = found.probabilities.argmax(axis=0)  # values of the labels are in channel order
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(found.segmentation.labels, expected)
