"""The script that compares two checkouts: it sees what is equal and whatever is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "Testing" / "benchmarks" / "compare_checkouts.py"
OPENVINO = "--backend openvino --precision fp32"
CHANGES = ("nothing", "one voxel", "another place", "another size", "no label map")


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def compared(cases: Path, *arguments: object) -> tuple[int, dict]:
    """Run the script; returns its exit code and its report."""
    report = cases.parent / "report.json"
    done = script(*arguments, "--cases", cases, "--output", report)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(report.read_text())


def write_case(folder: Path) -> None:
    """Write an ellipsoid of noise, as small as the tiny model's window, on zero background."""
    shape = (30, 40, 28)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    folder.mkdir(parents=True)
    for seed, modality in enumerate(("t1c", "flair")):
        values = np.random.default_rng(seed).normal(100.0, 10.0, shape)
        image = sitk.GetImageFromArray((values * (x**2 + y**2 + z**2 < 0.8)).astype(np.float32))
        sitk.WriteImage(image, str(folder / f"{modality}.nii.gz"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "cases" / "head"
    write_case(folder)
    return folder


def change_map(path: Path, change: str) -> None:
    image = sitk.ReadImage(str(path))
    if change == "one voxel":
        image[5, 6, 7] = 4
    elif change == "another place":
        image.SetOrigin([x + 0.01 for x in image.GetOrigin()])
    elif change == "another size":
        image = image[1:]
    path.unlink()
    if change != "no label map":
        sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, tiny_card: Path) -> Path:
    """Folder of ``cases`` and of the run that was ``kept`` of them with the tiny model."""
    folder = tmp_path_factory.mktemp("kept")
    for change in CHANGES:
        write_case(folder / "cases" / change)
    options = ("--options", f"{OPENVINO} --model {tiny_card}")
    code, report = compared(folder / "cases", ROOT, *options, "--keep", folder / "kept")
    assert code == 0
    assert [run["equal"] for run in report["runs"]] == [None] * len(CHANGES)
    return folder


@pytest.fixture(scope="module")
def against_kept(kept: Path) -> tuple[int, dict]:
    """Each label map of the kept run is changed as its case is called, then compared."""
    for change in CHANGES:
        (path,) = (kept / "kept").rglob(f"{change}.nii.gz")
        change_map(path, change)
    return compared(kept / "cases", kept / "kept", ROOT)


def run_of(report: dict, change: str) -> dict:
    (run,) = (run for run in report["runs"] if run["case"] == f"cases/{change}")
    return run


def test_a_checkout_equals_itself(case, tiny_card) -> None:
    options = f"{OPENVINO} --model {tiny_card}"
    code, report = compared(case, ROOT, ROOT, "--options", options, "--iterations", 2)
    assert code == 0
    assert report["summary"]["equal"] is True
    (run,) = report["runs"]
    assert (run["case"], run["options"]) == ("cases/head", options)
    assert run["labels"] == {"voxels": 0, "geometry_mm": 0.0}
    for kind in ("cold", "warm"):
        times = run[kind]
        assert len(times["before_s"]) == len(times["after_s"]) == 2
        assert times["ratio"] == pytest.approx(times["after_median_s"] / times["before_median_s"])
        assert times["ratio_95"][0] <= times["ratio"] <= times["ratio_95"][1]
    # A process that stays has its imports behind it.
    assert min(run["warm"]["after_s"]) < min(run["cold"]["after_s"])


def test_another_model_on_one_side_is_seen(case, tiny_card) -> None:
    models = ("--before-options", f"--model {tiny_card}", "--after-options", "--model fast")
    code, report = compared(case, ROOT, ROOT, "--options", OPENVINO, *models, "--iterations", 0)
    assert code == 1
    assert report["runs"][0]["labels"]["voxels"] > 0
    assert report["summary"]["equal"] is False


def test_a_kept_run_has_hashes_and_manifests(kept) -> None:
    document = json.loads((kept / "kept" / "labels.json").read_text())
    (options,) = document["options"]
    by_case = document["labels"][options]
    assert set(by_case) == {f"cases/{change}" for change in CHANGES}
    # All cases are alike.
    assert len({found["labels_sha256"] for found in by_case.values()}) == 1
    for found in by_case.values():
        label_map = kept / "kept" / found["file"]
        assert label_map.with_name(label_map.name.replace(".nii.gz", ".manifest.json")).is_file()


def test_a_kept_run_stands_for_a_checkout(kept, against_kept) -> None:
    code, report = against_kept
    assert code == 1
    assert report["before_commit"] == json.loads((kept / "kept/labels.json").read_text())["commit"]
    assert [run["case"] for run in report["runs"] if run["equal"]] == ["cases/nothing"]


def test_one_voxel_is_seen(against_kept) -> None:
    run = run_of(against_kept[1], "one voxel")
    assert run["labels"] == {"voxels": 1, "geometry_mm": 0.0}


def test_another_place_is_seen(against_kept) -> None:
    labels = run_of(against_kept[1], "another place")["labels"]
    assert labels == {"voxels": 0, "geometry_mm": pytest.approx(0.01 * 3**0.5, rel=1e-3)}


def test_another_size_is_seen(against_kept) -> None:
    assert run_of(against_kept[1], "another size")["labels"]["voxels"] is None


def test_what_was_not_kept_is_told(against_kept) -> None:
    assert "not kept" in run_of(against_kept[1], "no label map")["error"]


def test_a_run_that_fails_is_told_and_fails_the_comparison(case) -> None:
    options = ("--options", "--backend openvino --model nonsense")
    code, report = compared(case, ROOT, ROOT, *options, "--iterations", 0)
    assert code == 1
    assert "nonsense" in report["runs"][0]["error"]


def test_what_is_no_checkout_is_refused(case, tmp_path) -> None:
    done = script(tmp_path, ROOT, "--cases", case, "--output", tmp_path / "report.json")
    assert done.returncode == 2
    assert "not a checkout" in done.stderr
