from __future__ import annotations

import json

import pytest
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.manifest.model import PROCESS_START, Manifest
from BrainSegAccelLib.manifest.revise import add_stages, with_output
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.manifest.write import to_json
from BrainSegAccelLib.postprocessing.refinement import ResolvedRefinement
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR


def test_stages_before_and_after_count(manifest: Manifest) -> None:
    longer = add_stages(manifest, {PROCESS_START: 500.0}, {"transfer": 10.0, "write": 1.0})
    stages = longer.latency.stages_ms
    assert list(stages) == [PROCESS_START, "read", "network", "write", "transfer"]
    assert stages["write"] == pytest.approx(21.125)
    assert longer.latency.total_ms == pytest.approx(manifest.latency.total_ms + 511.0)
    assert "imports included" in longer.latency.total_includes
    assert "imports not included" in manifest.latency.total_includes
    assert longer.latency.model_only == manifest.latency.model_only
    validate(json.loads(to_json(longer)))


def test_another_output_takes_the_place_of_the_first(manifest: Manifest, result: RunResult) -> None:
    grid = result.segmentation.grid
    strict = ResolvedRefinement(dict.fromkeys(("ET", "TC", "WT"), 0.99), 2.0, 1.0)
    empty = Segmentation(result.segmentation.labels * 0, grid, TUMOUR.scheme)
    cleared = with_output(manifest, empty, strict)
    assert cleared.outputs[0].thresholds["ET"] == 0.99
    assert cleared.outputs[0].smallest_lesion_ml == 2.0
    assert manifest.outputs[0].thresholds["WT"] == 0.5
    assert cleared.outputs[0].volumes_ml["WT"] == 0.0
    assert manifest.outputs[0].volumes_ml["WT"] > 0.0
    validate(json.loads(to_json(cleared)))
