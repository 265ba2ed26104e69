"""Bad input: one line that says what, where and what to do; exit 2; nothing written or left."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.protocol import Availability, Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.models.package import shipped_models


@dataclass
class Attempt:
    """Arguments of one run, to be spoilt."""

    case: Path
    output: Path
    options: list[str] = field(default_factory=list)

    def file(self, name: str = "t1.nii.gz") -> Path:
        return self.case / name

    def array(self) -> np.ndarray:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(self.file())))

    def replace(self, array: np.ndarray, name: str = "t1.nii.gz", **geometry: object) -> None:
        image = sitk.GetImageFromArray(array, isVector=bool(geometry.pop("vector", False)))
        for setter, value in geometry.items():
            getattr(image, f"Set{setter}")(value)
        sitk.WriteImage(image, str(self.file(name)))

    def spoil(self, value: float) -> None:
        array = self.array()
        array[5, 6, 7] = value
        self.replace(array)


Spoil = Callable[[Attempt], object]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def header_spacing(attempt: Attempt, spacing: float) -> None:
    """Patch a spacing along i into pixdim and sform that no library would write."""
    content = bytearray(gzip.decompress(attempt.file().read_bytes()))
    struct.pack_into("<f", content, 80, spacing)  # pixdim[1]
    struct.pack_into("<f", content, 280, -spacing)  # srow_x[0], to the patient's right
    attempt.file().write_bytes(gzip.compress(content))


def a_file_as_folder(attempt: Attempt) -> None:
    attempt.output = attempt.file("notes.txt") / "out.nii.gz"
    attempt.file("notes.txt").write_text("hello")


def dicom_folder(attempt: Attempt) -> None:
    folder = attempt.case / "series"
    folder.mkdir()
    (folder / "readme.txt").write_text("hello")
    attempt.options += ["--t1", str(folder)]


def put(attempt: Attempt, *options: object) -> None:
    attempt.options += [str(option) for option in options]


def given_twice(attempt: Attempt) -> None:
    put(attempt, "--t2", attempt.file("t1.nii.gz"), "--t1", attempt.file("t1.nii.gz"))


CASES: dict[str, tuple[Spoil, str]] = {
    "empty case folder": (
        lambda a: [path.unlink() for path in a.case.iterdir()],
        "case: no image is named like an MR sequence",
    ),
    "no such case folder": (lambda a: shutil.rmtree(a.case), "case: no such folder"),
    "missing file": (lambda a: put(a, "--t1", a.file("no.nii.gz")), "no.nii.gz: no such file"),
    "empty file": (lambda a: a.file().write_bytes(b""), "t1.nii.gz: empty file"),
    "truncated file": (lambda a: truncate(a.file()), "t1.nii.gz: truncated"),
    "text file": (lambda a: a.file().write_text("hello " * 99), "t1.nii.gz: not a NIfTI image"),
    "file of no image format": (
        lambda a: put(a, "--t1", a.file().rename(a.file("t1.mat"))),
        "t1.mat: not an image file that is read",
    ),
    "folder without DICOM": (dicom_folder, "series: folder without DICOM images"),
    "2-D image": (lambda a: a.replace(a.array()[0]), "t1.nii.gz: 2-D image"),
    "single slice": (lambda a: a.replace(a.array()[:1]), "t1.nii.gz: 2-D image"),
    "4-D image": (
        lambda a: a.replace(np.stack([a.array()] * 2)),
        "t1.nii.gz: 4-D image",
    ),
    "colour image": (
        lambda a: a.replace(np.stack([a.array()] * 3, -1).astype(np.uint8), vector=True),
        "components a voxel",
    ),
    "NaN": (lambda a: a.spoil(np.nan), "t1.nii.gz: 1 voxels are NaN or infinite"),
    "infinity": (lambda a: a.spoil(np.inf), "t1.nii.gz: 1 voxels are NaN or infinite"),
    "all zero": (lambda a: a.replace(a.array() * 0), "t1.nii.gz: every voxel is 0"),
    "constant": (lambda a: a.replace(a.array() * 0 + 7), "t1.nii.gz: every voxel is 7"),
    "zero spacing": (lambda a: header_spacing(a, 0.0), "t1.nii.gz: "),
    "absurd spacing": (lambda a: header_spacing(a, 1e6), "t1.nii.gz: voxel spacing 1e+06"),
    "NaN spacing": (lambda a: header_spacing(a, np.nan), "t1.nii.gz: "),
    "no overlap": (
        lambda a: a.replace(a.array(), Origin=(500.0, 0.0, 0.0)),
        "t1.nii.gz: T1 does not overlap T1c",
    ),
    "two files for one modality": (
        lambda a: shutil.copy(a.file("t2.nii.gz"), a.file("other_T2w.nii.gz")),
        "2 files could be T2 (other_T2w.nii.gz, t2.nii.gz); say which one with --t2 FILE",
    ),
    "one file for two modalities": (given_twice, "given both as T1 and as T2"),
    "output folder that does not exist": (
        lambda a: setattr(a, "output", a.output.parent / "no" / "out.nii.gz"),
        "does not exist; create it",
    ),
    "output folder that is a file": (a_file_as_folder, "does not exist"),
    "output that is a folder": (lambda a: a.output.mkdir(), "is a folder"),
    "output of no format": (
        lambda a: setattr(a, "output", a.output.with_name("out.png")),
        "out.png: no segmentation format goes by this name; let it end in .seg.nrrd",
    ),
    "output that is an input": (
        lambda a: setattr(a, "output", a.file()),
        "t1.nii.gz: is both T1 and --output",
    ),
    "manifest that is the output": (
        lambda a: put(a, "--manifest", a.output),
        "is both --output and --manifest",
    ),
    "manifest folder that does not exist": (
        lambda a: put(a, "--manifest", a.case / "no" / "m.json"),
        "does not exist",
    ),
    "unknown model": (
        lambda a: put(a, "--model", "nonsense"),
        f"model: no model named 'nonsense'; give one of {', '.join(shipped_models())}, or the path",
    ),
    "folder without a model": (
        lambda a: put(a, "--model", a.case),
        "case: folder with no model cards; give the path of one .card.json file",
    ),
    "unknown backend": (
        lambda a: put(a, "--backend", "quantum"),
        "unknown backend 'quantum'; use one of auto, eager, inductor, onnxruntime, openvino, ",
    ),
    "unknown precision": (
        lambda a: put(a, "--precision", "fp12"),
        "unknown precision 'fp12'; use one of auto, fp32, tf32, fp16, bf16, int8",
    ),
    "unknown device": (
        lambda a: put(a, "--device", "abacus"),
        "unknown device 'abacus'; use one of auto, cpu, cuda",
    ),
    "backend that cannot": (
        lambda a: put(a, "--backend", "eager", "--precision", "int8"),
        "eager cannot run int8 on cpu here: PyTorch engines are fp32 on cpu; use",
    ),
    "too short a benchmark": (
        lambda a: put(a, "--benchmark", 19),
        "--benchmark: 19 is out of range; give 20 or more",
    ),
    "benchmark of no number": (lambda a: put(a, "--benchmark", "many"), "--benchmark"),
    "unknown option": (lambda a: put(a, "--fast"), "No such option: --fast"),
}


def listing(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(("spoil", "message"), CASES.values(), ids=CASES.keys())
def test_refused(
    run,
    case_dir: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    spoil: Spoil,
    message: str,
) -> None:
    attempt = Attempt(case_dir, tmp_path / "out.nii.gz")
    spoil(attempt)
    before = listing(tmp_path)
    code = run("segment", case_dir, "--output", attempt.output, *attempt.options)
    stdout, stderr = capfd.readouterr()
    assert code == 2, stderr
    assert stdout == ""
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("brainsegaccel: ")
    assert message in lines[0]
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["out.nii.gz", "out.manifest.json"])
def test_a_refused_run_leaves_older_results_alone(run, case_dir, tmp_path, name) -> None:
    (tmp_path / name).write_text("old")
    (case_dir / "t1.nii.gz").write_bytes(b"")
    assert run("segment", case_dir, "--output", tmp_path / "out.nii.gz") == 2
    assert (tmp_path / name).read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["case", name])


def test_no_input_at_all(run, tmp_path, capfd) -> None:
    assert run("segment", "--output", tmp_path / "out.nii.gz") == 2
    assert "no input volume; give a case folder or at least one of --t1" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_output_folder_that_cannot_be_written(run, case_dir, capfd) -> None:
    assert run("segment", case_dir, "--output", "/proc/self/out.nii.gz") == 2
    assert "cannot be written" in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_output_folder(run, case_dir, tmp_path, capfd) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert run("segment", case_dir, "--output", folder / "out.nii.gz") == 2
    assert "cannot be written: Permission denied" in capfd.readouterr().err


def test_whatever_this_machine_cannot_run_has_a_reason_and_a_remedy(
    run, case_dir, tmp_path, capfd
) -> None:
    refused: dict[tuple[str, Device, Precision], Availability] = {
        (name, device, precision): answer
        for name, backend in backends().items()
        for device in Device
        for precision in Precision
        if not (answer := backend.availability(device, precision)).ok
    }
    assert refused
    for (name, device, precision), answer in refused.items():
        code = run(
            *("segment", case_dir, "--output", tmp_path / "out.nii.gz"),
            *("--backend", name, "--device", device, "--precision", precision),
        )
        error = capfd.readouterr().err
        assert code == 2
        assert " ".join(answer.reason.split()) in error
        assert " ".join(answer.remedy.split()) in error
        assert answer.reason
        assert answer.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
