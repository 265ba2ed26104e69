"""``batch``: many cases, resumed, with one table; what fails is recorded and the rest goes on."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from dicom_phantom import PERSON, save_study

BACKEND = ("--backend", "onnxruntime")


@pytest.fixture
def root(case_dir: Path, tmp_path: Path) -> Path:
    """Three cases: all four modalities, one of them, DICOM."""
    root = tmp_path / "cases"
    shutil.copytree(case_dir, root / "a")
    (root / "b").mkdir()
    shutil.copy(case_dir / "flair.nii.gz", root / "b")
    save_study(root / "c", nested=True)
    return root


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "batch.csv").open(encoding="utf-8", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def statuses(folder: Path) -> dict[str, str]:
    return {case: row["status"] for case, row in table(folder).items()}


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.nii.gz")}


def test_images_and_dicom_in_one_table(run, root, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run("batch", root, "--output", out, "--format", ".nii.gz", *BACKEND) == 0
    rows = table(out)
    assert {case: row["modalities"] for case, row in rows.items()} == {
        "a": "t1 t1c t2 flair",
        "b": "flair",
        "c": "t1 t1c t2 flair",
    }
    for case, row in rows.items():
        assert (row["status"], row["backend"]) == ("done", "onnxruntime")
        assert row["note"].startswith("Without T1c, enhancing tumour" if case == "b" else "")
        assert bool(row["note"]) == (case == "b")
        assert float(row["WT_ml"]) >= float(row["ET_ml"]) >= 0
        assert 0 < float(row["network_ms"]) < float(row["total_ms"])
        assert (out / row["output"]).is_file()
        assert (out / f"{case}.manifest.json").is_file()
    page = (out / "batch.md").read_text()
    assert "3 cases: 3 done." in page
    assert page.count("\n| ") == 5
    stdout, stderr = capsys.readouterr()
    assert "done          3 of 3 cases" in stdout
    assert "b done, 2 of 3 cases ... (about " in stderr
    assert not [value for value in PERSON.values() if value in page + stdout + stderr]


def test_run_again_it_keeps_what_is_finished(run, root, tmp_path) -> None:
    out = tmp_path / "out"
    command = ("batch", root, "--output", out, "--format", ".nii.gz", *BACKEND)
    assert run(*command) == 0
    before = times(out)
    assert run(*command) == 0
    assert statuses(out) == {"a": "kept", "b": "kept", "c": "kept"}
    assert times(out) == before
    assert table(out)["a"]["WT_ml"]
    (root / "a" / "t1.nii.gz").unlink()
    assert run(*command) == 0
    assert statuses(out) == {"a": "done", "b": "kept", "c": "kept"}


def test_a_failed_case_is_recorded_and_the_rest_goes_on(run, root, tmp_path, capfd) -> None:
    out = tmp_path / "out"
    (root / "b" / "flair.nii.gz").write_bytes(b"")
    (root / "empty").mkdir()
    assert run("batch", root, "--output", out, *BACKEND) == 1
    assert statuses(out) == {"a": "done", "b": "failed", "c": "done", "empty": "failed"}
    assert table(out)["b"]["note"].startswith("flair.nii.gz: empty file")
    assert table(out)["empty"]["note"].startswith("empty: no image is named like")
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"brainsegaccel: {out / 'batch.md'}: 2 of 4 cases failed; it says why")
    shutil.copy(root / "a" / "flair.nii.gz", root / "b")
    (root / "empty").rmdir()
    assert run("batch", root, "--output", out, *BACKEND) == 0
    assert statuses(out) == {"a": "kept", "b": "done", "c": "kept"}


def test_bids(run, case_dir, tmp_path) -> None:
    root, out = tmp_path / "bids", tmp_path / "out"
    for folder, names in (
        ("sub-1/anat", {"flair": "sub-1_FLAIR"}),
        ("sub-2/ses-1/anat", {"t1": "sub-2_ses-1_T1w", "t1c": "sub-2_ses-1_ce-gd_T1w"}),
        ("sub-2/ses-2/anat", {"t2": "sub-2_ses-2_T2w"}),
        ("derivatives/sub-1/anat", {"t1": "sub-1_T1w"}),
    ):
        (root / folder).mkdir(parents=True)
        for modality, name in names.items():
            shutil.copy(case_dir / f"{modality}.nii.gz", root / folder / f"{name}.nii.gz")
    (root / "dataset_description.json").write_text("{}")
    assert run("batch", root, "--output", out, *BACKEND) == 0
    found = {case: row["modalities"] for case, row in table(out).items()}
    assert found == {"sub-1": "flair", "sub-2_ses-1": "t1 t1c", "sub-2_ses-2": "t2"}


def test_interrupted_it_leaves_what_is_finished_and_goes_on(root, tmp_path, services) -> None:
    out = tmp_path / "out"

    class InterruptedAtTheThird:
        """A real pipeline that somebody stops."""

        def __init__(self, *request: Any) -> None:
            self._pipeline, self._runs = services.make_pipeline(*request), 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._pipeline, name)

        def run(self, *arguments: Any, **options: Any) -> Any:
            self._runs += 1
            if self._runs == 3:
                raise KeyboardInterrupt
            return self._pipeline.run(*arguments, **options)

    command = ["batch", str(root), "--output", str(out), *BACKEND]
    assert main(command, Services(InterruptedAtTheThird, since_start=None)) == 130
    assert statuses(out) == {"a": "done", "b": "done", "c": "not run"}
    assert not list(out.glob(".*"))
    assert main(command, services) == 0
    assert statuses(out) == {"a": "kept", "b": "kept", "c": "done"}


@pytest.mark.slow
def test_ctrl_c_with_several_processes(case_dir, tiny_card, tmp_path) -> None:
    root, out = tmp_path / "cases", tmp_path / "out"
    for number in range(12):
        shutil.copytree(case_dir, root / f"c{number:02d}")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "BrainSegAccelLib.cli.main", "batch", str(root)),
            *("--output", str(out), "--workers", "2", "--model", str(tiny_card), *BACKEND),
        ],
        env={**os.environ, "BRAINSEGACCEL_CACHE": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not list(out.glob("c*.manifest.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "brainsegaccel: interrupted"
    assert "Traceback" not in stderr
    finished = {path.name.partition(".")[0] for path in out.glob("*.manifest.json")}
    assert 1 <= len(finished) < 12
    assert finished == {path.name.partition(".")[0] for path in out.glob("*.seg.nrrd")}
    assert not list(out.glob(".*"))


def test_two_processes_on_the_command_line(case_dir, tiny_card, tmp_path) -> None:
    root, out = tmp_path / "cases", tmp_path / "out"
    for name in ("a", "b"):
        shutil.copytree(case_dir, root / name)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "BrainSegAccelLib.cli.main", "batch", root, "--output", out),
            *("--workers", "2", "--model", os.path.relpath(tiny_card, tmp_path), *BACKEND),
        ],
        env={**os.environ, "BRAINSEGACCEL_CACHE": str(tmp_path / "cache")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert statuses(out) == {"a": "done", "b": "done"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", ".png"), "no segmentation format goes by this name"),
        (("--backend", "quantum"), "unknown backend 'quantum'"),
        (("--model", "absent"), "no model named 'absent'"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "--workers and --scheduler"),
        (("--workers", "0"), "--workers"),
    ],
)
def test_refused_before_anything_is_run(run, root, tmp_path, capfd, arguments, said) -> None:
    out = tmp_path / "out"
    assert run("batch", root, "--output", out, *arguments) == 2
    error = capfd.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_no_cases(run, tmp_path, capfd) -> None:
    (tmp_path / "empty").mkdir()
    assert run("batch", tmp_path / "empty", "--output", tmp_path / "out") == 2
    assert "holds no folder of a case" in capfd.readouterr().err
