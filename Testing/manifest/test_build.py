from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.auto import Choice
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.result import RunResult
from BrainSegAccelLib.io.dicom.read import read_stack
from BrainSegAccelLib.io.dicom.sort import series_in
from BrainSegAccelLib.io.hashing import sha256_of_series
from BrainSegAccelLib.manifest.build import build_manifest, record_input, record_output
from BrainSegAccelLib.manifest.model import PROCESS_START, Manifest, ModelIdentity
from BrainSegAccelLib.manifest.write import to_json
from BrainSegAccelLib.study.modality import Modality
from dicom_phantom import head, save_series


def built(
    result: RunResult, identity: ModelIdentity, volume: Volume, **changes: object
) -> Manifest:
    arguments: dict = {
        "model": identity,
        "inputs": [record_input(Modality.T1C, volume)],
        "output": record_output(result.segmentation, None, result.refinement),
        "asked": EngineChoice(backend="openvino", precision=Precision.FP32),
        "requested": {},
    }
    return build_manifest(result, **arguments | changes)


def test_what_was_not_asked_for_is_null_with_a_reason(manifest: Manifest) -> None:
    assert manifest.latency.model_only.p50_ms is None
    assert "--benchmark" in (manifest.latency.model_only.reason or "")
    assert manifest.quality_retention.delta_dice is None
    assert "--verify" in (manifest.quality_retention.reason or "")
    assert manifest.runtime.selection.candidates is None
    assert manifest.outputs[0].sha256 is None


def test_every_stage_is_named_in_order(manifest: Manifest) -> None:
    assert list(manifest.latency.stages_ms.items()) == [
        ("read", 100.25),
        ("network", 400.0),
        ("write", 20.125),
    ]
    assert manifest.latency.total_ms == 520.375


def test_total_says_whether_the_start_is_counted(
    result: RunResult, identity: ModelIdentity, volume: Volume
) -> None:
    started = replace(result, stages_ms={PROCESS_START: 300.0, **result.stages_ms})
    assert "imports included" in built(started, identity, volume).latency.total_includes
    assert "imports not included" in built(result, identity, volume).latency.total_includes


def test_axes_are_written_as_files_have_them(manifest: Manifest) -> None:
    assert manifest.outputs[0].shape == (28, 24, 20)
    assert manifest.outputs[0].spacing_mm == (1.0, 1.0, 2.0)
    assert manifest.inputs[0].shape == (28, 24, 20)
    assert manifest.inputs[0].spacing_mm == (1.0, 1.5, 2.0)
    assert manifest.input_protocol.shape == (1, 4, 32, 48, 64)


def test_missing_modalities_are_named(manifest: Manifest) -> None:
    assert manifest.input_protocol.available == (Modality.T1C, Modality.FLAIR)
    assert manifest.input_protocol.missing == (Modality.T1, Modality.T2)


def test_volumes_of_the_result(manifest: Manifest) -> None:
    volumes = manifest.outputs[0].volumes_ml
    assert volumes["enhancing_tumour"] == volumes["ET"] == volumes["WT"] == 0.25
    assert volumes["oedema"] == 0


def test_candidates_of_auto(
    result: RunResult, identity: ModelIdentity, volume: Volume, choice: Choice
) -> None:
    found = built(result, identity, volume, asked=EngineChoice(), choice=choice)
    first, second = found.runtime.selection.candidates or ()
    assert (first.backend, first.p50_ms, first.reason) == ("openvino", 300.0, None)
    assert (second.backend, second.p50_ms, second.reason) == ("eager", None, "out of memory")


@pytest.mark.parametrize(
    ("device", "settings", "tf32"),
    [
        (Device.CPU, {}, False),
        (Device.CUDA, {"tf32": "on"}, True),
        (Device.CUDA, {"tf32": "off"}, False),
        (Device.CUDA, {}, None),
    ],
)
def test_tf32_is_named(
    result: RunResult,
    identity: ModelIdentity,
    volume: Volume,
    device: Device,
    settings: dict[str, str],
    tf32: bool | None,
) -> None:
    engine = replace(result.engine, device=device, settings=settings)
    found = built(replace(result, engine=engine), identity, volume).precision
    assert found.tf32 is tf32
    assert (found.reason is None) == (tf32 is not None)


def test_a_runtime_that_tells_neither_precision_nor_cache(
    result: RunResult, identity: ModelIdentity, volume: Volume
) -> None:
    engine = replace(result.engine, actual_precision={}, cache_key=None, cache_hit=None)
    found = built(replace(result, engine=engine), identity, volume)
    assert found.precision.actual_operations is None
    assert "openvino does not tell" in (found.precision.reason or "")
    assert found.runtime.engine.reason


def test_hash_of_a_file_and_of_voxels(tmp_path: Path, volume: Volume) -> None:
    file = tmp_path / "Jane_Doe.nii.gz"
    file.write_bytes(b"voxels")
    from_file = record_input(Modality.T1, volume, file)
    assert from_file.sha256 == hashlib.sha256(b"voxels").hexdigest()
    assert from_file.sha256_of == "file"
    in_memory = record_input(Modality.T1, volume)
    assert in_memory.sha256 == hashlib.sha256(volume.array.tobytes()).hexdigest()
    assert in_memory.sha256_of == "voxels"


def test_hash_of_voxels_does_not_depend_on_memory_order(volume: Volume) -> None:
    swapped = Volume(np.asfortranarray(volume.array), volume.affine)
    assert record_input(Modality.T1, swapped).sha256 == record_input(Modality.T1, volume).sha256


def test_a_dicom_series_is_hashed_and_says_what_was_repaired(tmp_path: Path) -> None:
    save_series(tmp_path, head())
    stack = series_in(tmp_path).with_remarks("a slice was moved")
    record = record_input(Modality.T1, read_stack(stack), stack)
    assert record.sha256_of == "dicom series"
    assert record.sha256 == sha256_of_series(stack.files)
    assert record.remarks == ("a slice was moved",)


def test_no_names_and_no_paths(tmp_path: Path, result: RunResult, identity: ModelIdentity) -> None:
    file = tmp_path / "Jane_Doe_1970.nii.gz"
    file.write_bytes(b"voxels")
    volume = Volume(np.ones((4, 4, 4), np.float32), np.eye(4), file.name)
    text = to_json(
        built(
            result,
            identity,
            volume,
            inputs=[record_input(Modality.T1C, volume, file)],
            output=record_output(result.segmentation, file, result.refinement),
        )
    )
    assert "Jane" not in text
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("Doe.J.seg.nrrd", ".seg.nrrd"), ("Doe.J.nii.gz", ".nii.gz"), ("Doe.J.NRRD", ".nrrd")],
)
def test_only_the_format_of_the_output_is_named(
    tmp_path: Path, result: RunResult, name: str, suffix: str
) -> None:
    (tmp_path / name).write_bytes(b"labels")
    found = record_output(result.segmentation, tmp_path / name, result.refinement)
    assert found.format == suffix
    assert found.sha256 == hashlib.sha256(b"labels").hexdigest()
