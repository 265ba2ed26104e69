"""``segment``: from files to files, in every way the options allow."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study, read_volume
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.runner import Runner
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.system.hardware import installed_versions
from label_schemes import TUMOUR


def load(path: Path) -> dict:
    document = json.loads(path.read_text())
    validate(document)
    return document


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nii.gz", ".nrrd"])
def test_case_folder_to_every_format(run, case_dir, tmp_path, capsys, suffix) -> None:
    output = tmp_path / f"out{suffix}"
    assert run("segment", case_dir, "--output", output, "--backend", "onnxruntime") == 0
    grid = read_volume(case_dir / "t1c.nii.gz").grid
    assert read_labels(output, TUMOUR.scheme).grid.same_as(grid)
    document = load(tmp_path / "out.manifest.json")
    assert document["outputs"][0]["format"] == suffix
    assert document["runtime"]["selection"]["requested_backend"] == "onnxruntime"
    assert [record["modality"] for record in document["inputs"]] == ["t1", "t1c", "t2", "flair"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(
        [f"out{suffix}", "out.manifest.json"]
    )
    stdout, stderr = capsys.readouterr()
    for expected in ("Whole tumour", "network", "onnxruntime", str(output), "out.manifest.json"):
        assert expected in stdout
    assert "network ..." in stderr


def test_every_stage_is_named_and_none_starts_before_the_process(run, case_dir, tmp_path) -> None:
    assert run("segment", case_dir, "--output", tmp_path / "o.nrrd", "--backend", "openvino") == 0
    stages = load(tmp_path / "o.manifest.json")["latency"]["stages_ms"]
    expected = [
        "find",
        "check",
        "read",
        "engine",
        "register",
        "extract brain",
        "preprocess",
        "network",
        "postprocess",
        "write",
        "record",
    ]
    assert list(stages) == expected


def test_a_brain_mask_is_used_and_recorded(run, case_dir, tmp_path, four_modalities) -> None:
    reference = four_modalities[Modality.T1C]
    mask = np.zeros(reference.array.shape, dtype=np.uint8)
    middle = tuple(slice(n // 3, 2 * n // 3) for n in mask.shape)
    mask[middle] = 1
    path = tmp_path / "brain.nii.gz"
    sitk.WriteImage(to_image(mask, reference.grid), str(path))
    output = tmp_path / "out.nii.gz"
    options = ("--brain-mask", path, "--output", output, "--backend", "onnxruntime")
    assert run("segment", case_dir, *options) == 0
    done = load(tmp_path / "out.manifest.json")["preprocessing"]
    assert done["brain"] == "mask given"
    assert done["foreground_ml"] == pytest.approx(mask.sum() / 1000, abs=1e-3)


def test_a_brain_mask_is_not_overwritten(run, case_dir, tmp_path, capsys) -> None:
    mask = tmp_path / "brain.nii.gz"
    mask.write_bytes((case_dir / "t1.nii.gz").read_bytes())
    assert run("segment", case_dir, "--brain-mask", mask, "--output", mask) == 2
    assert "is both --brain-mask and --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    "present", [c for n in range(1, 5) for c in combinations(Modality, n)], ids="-".join
)
def test_every_subset_by_option(run, case_dir, tmp_path, present) -> None:
    options = [x for m in present for x in (f"--{m}", case_dir / f"{m}.nii.gz")]
    output = tmp_path / "out.nii.gz"
    assert run("segment", *options, "--output", output, "--backend", "onnxruntime") == 0
    document = load(tmp_path / "out.manifest.json")
    assert document["input_protocol"]["available"] == list(present)
    assert document["runtime"]["engine"]["cache_hit"] in (None, True, False)


def test_an_option_goes_before_the_folder(run, case_dir, tmp_path) -> None:
    """Two files could be T2; naming one settles it."""
    other = (case_dir / "t2.nii.gz").rename(case_dir / "a_t2.nii.gz")
    (case_dir / "b_t2.nii.gz").write_bytes(other.read_bytes())
    output = tmp_path / "out.nii.gz"
    assert run("segment", case_dir, "--output", output) == 2
    chosen = ("segment", case_dir, "--t2", other, "--output", output)
    assert run(*chosen, "--backend", "onnxruntime") == 0
    assert len(load(tmp_path / "out.manifest.json")["inputs"]) == 4


def test_manifest_where_asked(run, case_dir, tmp_path) -> None:
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--manifest", tmp_path / "b.json") == 0
    load(tmp_path / "b.json")
    assert not (tmp_path / "a.manifest.json").exists()


def test_auto_tells_what_it_measured(run, case_dir, tmp_path) -> None:
    assert run("segment", case_dir, "--output", tmp_path / "a.nrrd") == 0
    selection = load(tmp_path / "a.manifest.json")["runtime"]["selection"]
    assert selection["requested_backend"] == "auto"
    assert {"openvino", "onnxruntime"} <= {c["backend"] for c in selection["candidates"]}


def test_an_existing_output_is_replaced(run, case_dir, tmp_path) -> None:
    output, manifest = tmp_path / "a.nrrd", tmp_path / "a.manifest.json"
    output.write_text("old")
    manifest.write_text("old")
    assert run("segment", case_dir, "--output", output, "--backend", "openvino") == 0
    assert sitk.ReadImage(str(output)).GetSize() == read_size(case_dir / "t1c.nii.gz")
    load(manifest)


def read_size(path: Path) -> tuple[int, ...]:
    return sitk.ReadImage(str(path)).GetSize()


def test_benchmark_gives_percentiles(run, case_dir, tmp_path, capsys) -> None:
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--benchmark", 20) == 0
    latency = load(tmp_path / "a.manifest.json")["latency"]
    for timing in (latency["model_only"], latency["end_to_end"]):
        assert timing["iterations"] == 20
        assert 0 < timing["min_ms"] <= timing["p50_ms"] <= timing["p95_ms"] <= timing["max_ms"]
    assert latency["model_only"]["p50_ms"] < latency["end_to_end"]["p50_ms"]
    assert "p50 of 20 warm" in capsys.readouterr().out


def test_without_benchmark_and_verify_the_manifest_says_so(run, case_dir, tmp_path) -> None:
    assert run("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino") == 0
    document = load(tmp_path / "a.manifest.json")
    assert "--benchmark" in document["latency"]["end_to_end"]["reason"]
    assert "--verify" in document["quality_retention"]["reason"]


def test_verify_compares_with_an_fp32_reference(run, case_dir, tmp_path, capsys) -> None:
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--verify") == 0
    quality = load(tmp_path / "a.manifest.json")["quality_retention"]
    expected = "eager" if installed_versions(["torch"]) else "onnxruntime"
    assert quality["reference"]["backend"] == expected
    assert quality["reference"]["precision"] == "fp32"
    assert all(0 <= dice <= 1 for dice in quality["agreement_dice"].values())
    assert f"against {expected} fp32" in capsys.readouterr().out


def test_the_result_does_not_depend_on_the_format_of_the_input(run, case_dir, tmp_path) -> None:
    other = tmp_path / "nrrd"
    other.mkdir()
    for path in case_dir.iterdir():
        target = other / path.name.replace(".nii.gz", ".nrrd")
        sitk.WriteImage(sitk.ReadImage(str(path)), str(target))
    for folder, name in ((case_dir, "a.nrrd"), (other, "b.nrrd")):
        output = tmp_path / name
        assert run("segment", folder, "--output", output, "--backend", "openvino") == 0
    one, two = (read_labels(tmp_path / f"{name}.nrrd", TUMOUR.scheme) for name in "ab")
    np.testing.assert_array_equal(one.labels, two.labels)


def test_inputs_are_left_as_they_are(run, case_dir, tmp_path) -> None:
    before = {path: path.read_bytes() for path in case_dir.iterdir()}
    assert run("segment", case_dir, "--output", case_dir / "out.nii.gz") == 0
    assert {path: path.read_bytes() for path in before} == before
    # The results of this run are no inputs of the next.
    assert run("segment", case_dir, "--output", case_dir / "out.nii.gz") == 0


def test_every_backend_can_be_asked_for(run, case_dir, tmp_path) -> None:
    from BrainSegAccelLib.backends.protocol import Device, Precision

    for name, backend in backends().items():
        for precision in Precision:
            available = backend.availability(Device.CPU, precision).ok
            if available and backend.build_seconds > 30:
                continue  # Compilers that take long run once, in the tests of backends.
            output = tmp_path / f"{name}-{precision}.nii.gz"
            code = run(
                *("segment", case_dir, "--output", output, "--device", "cpu"),
                *("--backend", name, "--precision", precision),
            )
            runs = available and precision is not Precision.INT8  # The tiny model has no export.
            assert code == (0 if runs else 2)
            assert output.exists() == runs


@pytest.mark.parametrize("given", ["card", "folder"])
def test_a_model_of_one_s_own(run, case_dir, tmp_path, tiny_card, capsys, given) -> None:
    path = tiny_card if given == "card" else tiny_card.parent
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--model", path) == 0
    model = load(tmp_path / "a.manifest.json")["model"]
    card = json.loads(tiny_card.read_text())
    assert model["name"] == card["name"]
    assert model["weights_sha256"] == card["weights"]["sha256"]
    assert "tiny 0" in capsys.readouterr().out


def test_the_reference_of_verify_is_of_the_same_model(
    services, case_dir, tmp_path, tiny_card
) -> None:
    asked: list[str] = []

    def make_pipeline(model: str, engine: EngineChoice) -> Runner:
        asked.append(model)
        return services.make_pipeline(model, engine)

    output, card = str(tmp_path / "a.nrrd"), str(tiny_card)
    arguments = ["segment", str(case_dir), "--output", output, "--model", card, "--verify"]
    assert main([*arguments, "--backend", "openvino"], Services(make_pipeline, None)) == 0
    assert asked == [card, card]


def test_preprocessing_as_asked(run, case_dir, tmp_path) -> None:
    asked = ("--registration", "off", "--bias-correction")
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, *asked) == 0
    told = load(tmp_path / "a.manifest.json")["preprocessing"]
    assert told["bias_corrected"] is True
    assert {record["decision"] for record in told["alignment"].values()} == {"not asked for"}


def test_thresholds_and_smallest_lesion_give_what_the_sliders_give(
    run, case_dir, tmp_path, tiny_package, engine_cache
) -> None:
    """The sliders label again what a run has kept."""
    asked = Refinement(
        thresholds={"ET": 0.52, "TC": 0.45, "WT": 0.35}, smallest_lesion_ml=0.1, peak_odds=1.2
    )
    output = tmp_path / "a.nrrd"
    options = [f"--threshold={name}={value}" for name, value in asked.thresholds.items()]
    options += ["--smallest-lesion", 0.1, "--peak-odds", 1.2]
    assert run("segment", case_dir, "--output", output, "--backend", "openvino", *options) == 0
    engine = EngineChoice(backend="openvino")
    plain = Pipeline(tiny_package, engine, engine_cache).run(read_study(discover(case_dir)))
    expected = refine(plain.kept, asked.resolve(tiny_package.card.outputs))
    found = read_labels(output, tiny_package.card.outputs.scheme)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert (expected.labels != plain.segmentation.labels).any()
    told = load(tmp_path / "a.manifest.json")
    assert told["outputs"][0]["thresholds"] == dict(asked.thresholds)
    assert told["outputs"][0]["smallest_lesion_ml"] == 0.1
    assert told["requested"]["refinement"] == asked.model_dump(mode="json")


def test_the_manifest_says_what_was_asked_and_told(run, case_dir, tmp_path, capsys) -> None:
    for modality in ("t1c", "t2"):
        (case_dir / f"{modality}.nii.gz").unlink()
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--registration", "off") == 0
    told = load(tmp_path / "a.manifest.json")
    engine = EngineChoice(backend="openvino")
    asked = RunOptions(engine=engine, preprocessing={"registration": "off"})
    assert told["requested"] == asked.model_dump(mode="json")
    (caution,) = told["warnings"]
    assert caution.startswith("Without T1c, enhancing tumour")
    assert " ".join(caution.split()) in " ".join(capsys.readouterr().out.split())
    assert told["input_protocol"]["overlap"] == 0.25


def test_on_the_grid_that_the_network_saw(run, case_dir, tmp_path) -> None:
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--grid", "1mm") == 0
    told = load(tmp_path / "a.manifest.json")
    assert told["outputs"][0]["shape"] == told["preprocessing"]["model_grid_shape"]
    assert told["outputs"][0]["spacing_mm"] == [1.0, 1.0, 1.0]


def test_on_the_grid_of_another_volume(run, case_dir, tmp_path) -> None:
    other = sitk.ReadImage(str(case_dir / "t2.nii.gz"))[3:-2, 4:, ::2]
    sitk.WriteImage(other, str(tmp_path / "other.nrrd"))
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--grid", tmp_path / "other.nrrd") == 0
    grid = read_volume(tmp_path / "other.nrrd").grid
    assert read_labels(tmp_path / "a.nrrd", TUMOUR.scheme).grid.same_as(grid)
    assert run(*arguments, "--grid", case_dir / "flair.nii.gz") == 0


@pytest.mark.parametrize(
    ("shift", "message"), [(500.0, "does not overlap T1c"), (None, "no such file")]
)
def test_a_grid_that_cannot_be_used(run, case_dir, tmp_path, capsys, shift, message) -> None:
    if shift is not None:
        image = sitk.ReadImage(str(case_dir / "t2.nii.gz"))
        image.SetOrigin([shift] * 3)
        sitk.WriteImage(image, str(tmp_path / "far.nrrd"))
    arguments = ("segment", case_dir, "--output", tmp_path / "a.nrrd", "--backend", "openvino")
    assert run(*arguments, "--grid", tmp_path / "far.nrrd") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert "far.nrrd" in line
