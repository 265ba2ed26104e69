from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.errors import InputError, RunError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.preprocessing.brain_mask import BrainSource
from BrainSegAccelLib.preprocessing.options import (
    BrainExtraction,
    PreprocessingOptions,
    RegistrationMode,
)
from BrainSegAccelLib.preprocessing.record import Preprocessing
from BrainSegAccelLib.preprocessing.registration.evidence import Decision
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.settings import checked
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study

SUBSETS = [set(c) for n in range(1, 5) for c in combinations(Modality, n)]


def test_a_run_ends_on_the_grid_of_the_reference(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    clock = StageClock()
    pipeline = Pipeline(tiny_package, EngineChoice(backend="openvino"), engine_cache)
    result = pipeline.run(four_modalities, clock=clock)
    assert result.segmentation.grid.same_as(four_modalities.reference_grid)
    assert result.windows == 1
    assert result.probabilities.shape == (3, *result.network_input.grid.shape)
    assert list(result.stages_ms) == [
        "engine",
        "register",
        "extract brain",
        "preprocess",
        "network",
        "postprocess",
    ]


def test_one_engine_serves_all_fifteen_subsets(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    pipeline = Pipeline(tiny_package, EngineChoice(backend="openvino"), engine_cache)
    engine = pipeline.warm()
    seen = set()
    for subset in SUBSETS:
        result = pipeline.run(Study({m: four_modalities[m] for m in subset}))
        assert pipeline.warm() is engine
        seen.add(result.probabilities.tobytes())
    assert len(SUBSETS) == len(seen) == 15
    assert len(list(engine_cache.folder.iterdir())) == 1


def test_a_head_larger_than_the_engine_is_run_in_windows(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    tall = Study(
        {
            m: type(v)(np.repeat(v.array, 2, axis=0), v.affine, v.name)
            for m, v in four_modalities.items()
        }
    )
    result = Pipeline(tiny_package, EngineChoice(backend="onnxruntime"), engine_cache).run(tall)
    assert result.windows > 1
    assert result.segmentation.grid.same_as(tall.reference_grid)


def test_options_and_target_reach_the_steps_that_heed_them(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    pipeline = Pipeline(tiny_package, EngineChoice(backend="onnxruntime"), engine_cache)
    asked = PreprocessingOptions(registration=RegistrationMode.OFF, bias_correction=True)
    result = pipeline.run(four_modalities, RunOptions(preprocessing=asked, grid="1mm"))
    record = result.preprocessing
    assert {found.decision for found in record.alignment.values()} == {Decision.OFF}
    assert record.bias_corrected
    assert result.segmentation.grid.same_as(result.network_input.grid)
    by_default = pipeline.run(four_modalities).preprocessing
    assert {found.decision for found in by_default.alignment.values()} == {Decision.TOO_SMALL}
    assert not by_default.bias_corrected


def test_the_brain_is_found_as_asked_for(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    reference = four_modalities[four_modalities.reference]
    brain = reference.array != 0
    brain[: brain.shape[0] // 2] = False

    def run(mode: BrainExtraction, mask: Volume | None = None) -> Preprocessing:
        engine = EngineChoice(backend="onnxruntime")
        pipeline = Pipeline(tiny_package, engine, engine_cache, find_brain=lambda _: brain)
        asked = PreprocessingOptions(brain_extraction=mode)
        result = pipeline.run(four_modalities, RunOptions(preprocessing=asked, brain_mask=mask))
        return result.preprocessing

    millilitres = reference.grid.voxel_volume_mm3 / 1000
    usual = run(BrainExtraction.AUTO)
    assert usual.brain is BrainSource.STRIPPED
    assert usual.foreground_ml == pytest.approx(np.count_nonzero(reference.array) * millilitres)
    given = run(BrainExtraction.AUTO, Volume(brain.astype(np.float32), reference.affine))
    assert given.brain is BrainSource.GIVEN
    assert given.foreground_ml == pytest.approx(brain.sum() * millilitres)
    assert given.background_share == usual.background_share > 0.2
    assert run(BrainExtraction.OFF).brain is BrainSource.HEAD
    with pytest.raises(RunError, match="no brain was found"):
        run(BrainExtraction.ON)


def test_auto_measures_once_and_remembers(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    first = Pipeline(tiny_package, cache=engine_cache)
    first.run(four_modalities)
    assert first.choice is not None
    assert not first.choice.remembered
    assert {c.backend for c in first.choice.candidates} >= {"openvino", "onnxruntime"}
    passing = [c for c in first.choice.candidates if not c.failure]
    assert first.choice.chosen.p50_ms == min(c.p50_ms for c in passing)
    assert all(c.delta_dice is not None and c.delta_dice <= 0.005 for c in passing)
    second = Pipeline(tiny_package, cache=engine_cache)
    second.warm()
    assert second.choice is not None
    assert second.choice.remembered
    assert second.choice.candidates == first.choice.candidates


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"backend": "cudnn"}, "unknown backend 'cudnn'.*openvino"),
        ({"precision": "fp8"}, "unknown precision 'fp8'.*int8"),
        ({"device": "tpu"}, "unknown device 'tpu'.*cuda"),
        ({"backend": "openvino", "precision": "int8"}, "tiny has no INT8 export.*export --int8"),
        ({"backend": "openvino", "device": "cuda"}, "openvino cannot run fp32 on cuda"),
        ({"precision": "int8"}, "tiny has no INT8 export"),
        (
            {"backend": "openvino", "precision": "fp16"},
            "cannot run fp16.*engines are fp32 or",
        ),
    ],
)
def test_a_request_that_cannot_be_met_says_why(
    request_: dict[str, str], named: str, tiny_package: ModelPackage
) -> None:
    with pytest.raises(InputError, match=named):
        Pipeline(tiny_package, checked(EngineChoice, request_))


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="no model named 'huge'"):
        Pipeline("huge", EngineChoice(backend="openvino"))
