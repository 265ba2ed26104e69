"""From a folder of mixed DICOM series to a segmentation, and no person named on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.manifest.schema import validate
from dicom_phantom import PERSON, head, save_study
from label_schemes import TUMOUR
from pydicom import dcmread


def load(path: Path) -> dict:
    document = json.loads(path.read_text())
    validate(document)
    return document


@pytest.mark.parametrize("nested", [False, True])
def test_mixed_series_are_sorted_and_segmented(run, tmp_path, capsys, nested) -> None:
    save_study(tmp_path / "case", nested=nested)
    output = tmp_path / "out.seg.nrrd"
    command = ("segment", tmp_path / "case", "--output", output, "--backend", "openvino")
    assert run(*command) == 0
    assert read_labels(output, TUMOUR.scheme).grid.same_as(head().grid, tolerance_mm=1e-3)
    inputs = load(tmp_path / "out.manifest.json")["inputs"]
    assert [record["modality"] for record in inputs] == ["t1", "t1c", "t2", "flair"]
    assert {record["sha256_of"] for record in inputs} == {"dicom series"}
    assert "note" not in capsys.readouterr().out


def test_what_was_chosen_is_said_in_summary_and_manifest(run, tmp_path, capsys) -> None:
    save_study(tmp_path / "case" / "a", nested=True)
    for file in (tmp_path / "case" / "a" / "S4").iterdir():
        file.with_name(f"copy{file.name}").write_bytes(file.read_bytes())
    output = tmp_path / "out.nrrd"
    assert run("segment", tmp_path / "case", "--output", output, "--backend", "openvino") == 0
    (said,) = load(tmp_path / "out.manifest.json")["inputs"][2]["remarks"]
    assert said == "12 DICOM files are copies of others and were left out"
    assert f"note          T2: {said}" in capsys.readouterr().out


def test_a_file_of_a_series_can_be_given(run, tmp_path) -> None:
    save_study(tmp_path / "case")
    named = ("--t1c", tmp_path / "case" / "S3_0002", "--flair", tmp_path / "case" / "S5_0004")
    assert run("segment", *named, "--output", tmp_path / "out.nii.gz") == 0
    inputs = load(tmp_path / "out.manifest.json")["inputs"]
    assert [record["modality"] for record in inputs] == ["t1c", "flair"]


def test_dicom_seg_and_nobody_is_named(tiny_card, tmp_path) -> None:
    """A DICOM SEG carries the patient of its source, as it has to; nothing else does."""
    pytest.importorskip("highdicom")
    save_study(tmp_path / "case")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "BrainSegAccelLib.cli.main", "segment", tmp_path / "case"),
            *("--output", tmp_path / "out.dcm", "--model", tiny_card, "--backend", "openvino"),
        ],
        env={**os.environ, "TMPDIR": str(scratch), "BRAINSEGACCEL_CACHE": str(scratch / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert dcmread(tmp_path / "out.dcm").PatientName == PERSON["PatientName"]
    document = load(tmp_path / "out.manifest.json")
    assert document["outputs"][0]["format"] == ".dcm"
    source = dcmread(tmp_path / "case" / "S3_0002")
    secret = [*PERSON.values(), "Mustermann", source.StudyInstanceUID, source.SeriesInstanceUID]
    left = [file for file in scratch.rglob("*") if file.is_file()]
    said = [done.stdout, done.stderr, *(file.name for file in left)]
    said += [file.read_bytes().decode("latin-1") for file in left]
    said.append((tmp_path / "out.manifest.json").read_text())
    assert not [value for value in secret if any(value in text for text in said)]


def test_dicom_seg_needs_a_dicom_reference(run, case_dir, tmp_path, capfd) -> None:
    assert run("segment", case_dir, "--output", tmp_path / "out.dcm") == 2
    assert "refers to a DICOM series, and the reference volume is none" in capfd.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_an_output_among_the_slices_is_refused(run, tmp_path, capfd) -> None:
    save_study(tmp_path / "case")
    taken = (tmp_path / "case" / "S3_0002").rename(tmp_path / "case" / "x.dcm")
    assert run("segment", tmp_path / "case", "--output", taken) == 2
    assert "is both T1c and --output" in capfd.readouterr().err


@pytest.mark.parametrize("spoilt", ["truncated", "patients"])
def test_bad_studies_are_refused_in_one_line(run, tmp_path, capfd, spoilt) -> None:
    save_study(tmp_path / "case")
    file = tmp_path / "case" / "S4_0003"
    if spoilt == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        dataset = dcmread(file)
        dataset.PatientID = "OTHER"
        dataset.save_as(file)
    assert run("segment", tmp_path / "case", "--output", tmp_path / "out.nrrd") == 2
    error = capfd.readouterr().err
    assert len(error.splitlines()) == 1
    assert ("damaged" if spoilt == "truncated" else "2 patients") in error
    assert not [value for value in PERSON.values() if value in error]
