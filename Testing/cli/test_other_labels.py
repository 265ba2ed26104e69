"""A model with other labels needs its card and nothing else: segment, evaluate and their files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.io.read_labels import read_labels
from label_schemes import POSTOPERATIVE

BACKEND = ("--backend", "openvino")


def test_segment_writes_the_model_s_labels(
    run, case_dir: Path, tmp_path: Path, postoperative_card: Path, capsys
) -> None:
    output = tmp_path / "x.seg.nrrd"
    asked = ("--threshold", "cavity=0.3", "--smallest-lesion", "0")
    model = ("--model", postoperative_card)
    assert run("segment", case_dir, "--output", output, *BACKEND, *model, *asked) == 0
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(output))
    reader.ReadImageInformation()
    names = [reader.GetMetaData(f"Segment{index}_Name") for index in range(4)]
    assert names == ["Dead core", "Swelling", "Bright rim", "Resection cavity"]
    found = read_labels(output, POSTOPERATIVE.scheme)
    record = json.loads((tmp_path / "x.manifest.json").read_text())["outputs"][0]
    assert record["labels"]["cavity"] == {"value": 4, "name": "Resection cavity"}
    assert record["regions"]["core"] == {"name": "solid part", "labels": [1, 3]}
    assert record["thresholds"] == {"lesion": 0.5, "core": 0.5, "rim": 0.5, "cavity": 0.3}
    assert (record["smallest_lesion_ml"], record["peak_odds"]) == (0.0, 2.0)
    assert record["volumes_ml"]["cavity"] > 0
    for name, millilitres in found.volumes_ml().items():
        assert abs(record["volumes_ml"][name] - millilitres) < 1e-6
    shown = capsys.readouterr().out
    assert "Resection cavity" in shown
    assert "Everything but the cavity" in shown


def test_a_threshold_of_a_region_that_the_model_lacks_is_refused(
    run, case_dir: Path, tmp_path: Path, postoperative_card: Path, capsys
) -> None:
    model = ("--model", postoperative_card, "--threshold", "ET=0.4")
    assert run("segment", case_dir, "--output", tmp_path / "x.nrrd", *BACKEND, *model) == 2
    assert "the model has no such region" in capsys.readouterr().err
    assert not (tmp_path / "x.nrrd").exists()


def test_evaluate_reads_two_files_by_the_model_s_labels(
    run, tmp_path: Path, postoperative_card: Path, capsys
) -> None:
    labels = np.zeros((8, 9, 10), dtype=np.uint8)
    labels[2:6, 2:6, 2:6] = 2
    labels[3, 3, 3:5] = [3, 4]
    for name, array in (("a", labels), ("b", np.where(labels == 4, 0, labels))):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    files = (tmp_path / "b.nrrd", tmp_path / "a.nrrd", "--json")
    assert run("evaluate", *files, "--model", postoperative_card) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["lesion", "core", "rim", "cavity"]
    assert [found[name]["dice"] for name in found] == [1.0, 1.0, 1.0, 0.0]
    assert run("evaluate", *files) == 2
    assert "values 3 and 4 would both be 'Enhancing tumour'" in capsys.readouterr().err


def test_evaluate_scores_the_model_s_regions(
    run, four_modalities, write_case, tmp_path: Path, postoperative_card: Path, capsys
) -> None:
    volume = next(iter(four_modalities.values()))
    labels = np.zeros(volume.array.shape, dtype=np.uint8)
    labels[10:16, 10:16, 10:16] = 4
    write_case(tmp_path / "cases" / "a", labels)
    sitk.WriteImage(to_image(labels, volume.grid), str(tmp_path / "cases" / "a" / "seg.nii.gz"))
    asked = ("--cases", tmp_path / "cases", "--subsets", "--model", postoperative_card)
    assert run("evaluate", *asked, *BACKEND) == 0
    shown = capsys.readouterr().out
    assert "| case | lesion | core | rim | cavity | lesion, no network |" in shown
    assert "| modalities | cases | lesion | core | rim | cavity | lesion, no network |" in shown
    assert "cannot be told" not in shown
