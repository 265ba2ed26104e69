from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from BrainSegAccelLib.backends.auto import Choice
from BrainSegAccelLib.backends.candidate import Candidate
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Device, EngineInfo, Precision
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.manifest.build import build_manifest, record_input, record_output
from BrainSegAccelLib.manifest.model import Manifest, ModelIdentity
from BrainSegAccelLib.postprocessing.kept import KeptProbabilities
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.preprocessing.brain_mask import BrainSource
from BrainSegAccelLib.preprocessing.network_input import NetworkInput
from BrainSegAccelLib.preprocessing.options import BrainExtraction, RegistrationMode
from BrainSegAccelLib.preprocessing.record import Preprocessing
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR


@pytest.fixture
def engine() -> EngineInfo:
    return EngineInfo(
        backend="openvino",
        version="2026.4.1",
        device=Device.CPU,
        device_name="a processor",
        precision=Precision.FP32,
        shape=(32, 48, 64),
        build_seconds=1.25,
        actual_precision={"fp32": 210},
        cache_key="0123abcd",
        cache_hit=True,
        settings={"threads": "2"},
    )


@pytest.fixture
def result(engine: EngineInfo) -> RunResult:
    grid = Grid((20, 24, 28), np.diag([1.0, 1.0, 2.0, 1.0]))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[5:10, 5:10, 5:10] = 3
    model_grid = Grid((40, 24, 28), np.eye(4))
    record = Preprocessing(
        reference=Modality.T1C,
        registration=RegistrationMode.AUTO,
        alignment={},
        resampled={Modality.T1C: True, Modality.FLAIR: True},
        coverage={Modality.T1C: 1.0, Modality.FLAIR: 0.9},
        bias_corrected=False,
        brain_extraction=BrainExtraction.AUTO,
        brain=BrainSource.STRIPPED,
        background_share=0.84,
        foreground="non-zero voxels",
        foreground_ml=1200.0,
        model_grid_shape=model_grid.size,
        model_grid_spacing_mm=model_grid.spacing,
    )
    given = NetworkInput(
        x=np.zeros((1, 4, *model_grid.shape), dtype=np.float32),
        availability=np.ones((1, 4), dtype=np.float32),
        grid=model_grid,
        record=record,
    )
    return RunResult(
        segmentation=Segmentation(labels, grid, TUMOUR.scheme),
        kept=KeptProbabilities.nothing(grid, TUMOUR),
        refinement=Refinement().resolve(TUMOUR),
        probabilities=np.zeros((3, 40, 24, 28), dtype=np.float32),
        network_input=given,
        engine=engine,
        windows=1,
        overlap=0.25,
        window_shape=(32, 48, 64),
        stages_ms={"read": 100.25, "network": 400.0, "write": 20.125},
    )


@pytest.fixture
def volume() -> Volume:
    array = np.arange(20 * 24 * 28, dtype=np.float32).reshape(20, 24, 28)
    return Volume(array, np.diag([1.0, 1.5, 2.0, 1.0]), "Jane_Doe_1970.nii.gz")


@pytest.fixture
def identity() -> ModelIdentity:
    return ModelIdentity(
        name="full",
        version="1.0",
        config_sha256="a" * 64,
        weights_sha256="b" * 64,
        onnx_sha256="c" * 64,
        licence="Apache-2.0",
        intended_use="research",
    )


@pytest.fixture
def choice(engine: EngineInfo) -> Choice:
    usual = {"version": "2.13", "device": Device.CPU, "precision": Precision.FP32}
    chosen = Candidate(**usual, backend="openvino", p50_ms=300.0, delta_dice=0.0)
    failed = Candidate(
        **usual, backend="eager", p50_ms=None, delta_dice=None, reason="out of memory"
    )
    return Choice(chosen, (chosen, failed), remembered=False)


@pytest.fixture
def manifest(result: RunResult, volume: Volume, identity: ModelIdentity) -> Manifest:
    """The manifest of a plain run: neither benchmarked nor verified, backend by name."""
    return build_manifest(
        result,
        model=identity,
        inputs=[record_input(m, replace(volume)) for m in (Modality.T1C, Modality.FLAIR)],
        output=record_output(result.segmentation, None, result.refinement),
        asked=EngineChoice(backend="openvino"),
        requested={"model": "full", "brain_mask": None},
        warnings=["Without T2, something is not seen."],
        peak_memory_bytes=1 << 30,
        created_utc=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
    )
