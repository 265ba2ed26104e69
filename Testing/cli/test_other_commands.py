"""``evaluate``, ``info``, ``demo``, ``phantom``, ``export`` and ``train``."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib import __version__
from BrainSegAccelLib.backends.cache import EngineCache, EngineKey
from BrainSegAccelLib.backends.protocol import Availability, Device, Precision
from BrainSegAccelLib.backends.registry import backends
from BrainSegAccelLib.backends.survey import Combination
from BrainSegAccelLib.cli.extras import needs
from BrainSegAccelLib.cli.folder import ready_folder
from BrainSegAccelLib.cli.info import table
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.phantom import BRIGHTEST
from BrainSegAccelLib.errors import InputError, UnavailableError
from BrainSegAccelLib.io.read import read_volume
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.study.modality import Modality
from rich.console import Console


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    array = np.zeros((12, 14, 16), np.uint8)
    array[2:10, 2:10, 2:10] = 2
    array[4:8, 4:8, 4:8] = 1
    array[5:7, 5:7, 5:7] = 4
    path = tmp_path / "labels.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def test_evaluate_as_json(run, labels, capsys) -> None:
    assert run("evaluate", labels, labels, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert {region: (found["dice"], found["hd95_mm"]) for region, found in document.items()} == {
        "ET": (1, 0),
        "TC": (1, 0),
        "WT": (1, 0),
    }


def test_evaluate_as_table(run, labels, capsys) -> None:
    assert run("evaluate", labels, labels) == 0
    printed = capsys.readouterr().out
    assert "whole tumour" in printed
    assert "1.0000" in printed


def test_evaluate_refuses_other_grids_and_missing_files(run, labels, tmp_path, capsys) -> None:
    other = tmp_path / "other.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(labels))[:-1], str(other))
    for prediction in (other, tmp_path / "absent.nii.gz"):
        assert run("evaluate", prediction, labels) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_info_as_json_names_every_backend_precision_and_device(run, capsys) -> None:
    assert run("info", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == __version__
    assert len(document["backends"]) == len(backends()) * len(Precision) * len(Device)
    for option in document["backends"]:
        if option["available"]:
            assert option["reason"] is None
        else:
            assert option["reason"]
            assert option["remedy"]


def test_info_as_table(run, capsys) -> None:
    assert run("info") == 0
    printed = capsys.readouterr().out
    for name in backends():
        assert name in printed
    assert "yes" in printed


def test_info_shows_a_remedy_as_it_is_to_be_typed(capsys) -> None:
    answer = Availability.no("no torch", "pip install 'brainsegaccel[torch]'")
    option = Combination("eager", None, Device.CPU, Precision.FP32, answer)
    Console(width=200).print(table([option]))
    assert "pip install 'brainsegaccel[torch]'" in capsys.readouterr().out


def test_cache_is_listed_and_cleared(run, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(tmp_path))
    key = EngineKey("a" * 64, "b" * 64, (16, 32, 48), "bf16", "openvino", "1.2", "a CPU")
    EngineCache().write(key, b"engine")
    assert run("cache", "list") == 0
    printed = capsys.readouterr().out
    for shown in ("openvino", "bf16", "16x32x48", "1 engines"):
        assert shown in printed
    assert run("cache", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["engines"]
    assert row["key"] == key.fields
    assert run("cache", "clear") == 0
    assert "MB freed" in capsys.readouterr().out
    assert EngineCache().entries() == []


def test_version(run, capsys) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"brainsegaccel {__version__}\n"


@pytest.fixture
def phantom_case() -> Path:
    folder = resource("SampleData", "phantom")
    if not folder.is_dir():
        pytest.skip("the sample case is not there")
    return folder


def test_demo_leaves_segmentation_manifest_and_picture(run, phantom_case, tmp_path, capsys) -> None:
    folder = tmp_path / "demo"
    assert run("demo", "--output", folder) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "segmentation.seg.nrrd",
        "segmentation.manifest.json",
        "segmentation.png",
    }
    assert (folder / "segmentation.png").read_bytes().startswith(b"\x89PNG")
    validate(json.loads((folder / "segmentation.manifest.json").read_text()))
    printed = capsys.readouterr().out
    assert "Against the truth" in printed
    assert "Dice" in printed


def test_demo_refuses_a_folder_it_cannot_make(run, tmp_path, capsys) -> None:
    assert run("demo", "--output", tmp_path / "no" / "demo") == 2
    assert "cannot be made" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_made_for_nothing_is_removed(tmp_path: Path) -> None:
    def fail_in(folder: Path) -> None:
        with ready_folder(folder):
            raise KeyboardInterrupt

    there = tmp_path / "there"
    there.mkdir()
    for folder in (there, tmp_path / "made"):
        with pytest.raises(KeyboardInterrupt):
            fail_in(folder)
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.slow
def test_phantom_is_a_whole_case_and_the_same_for_the_same_seed(run, tmp_path, capsys) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("nilearn")
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        assert run("phantom", "--output", folder, "--seed", 5) == 0
    printed = capsys.readouterr().out.split()
    names = [*(f"{modality}.nii.gz" for modality in Modality), "seg.nii.gz"]
    assert printed == [str(folder / name) for folder in folders for name in names]
    reference = read_volume(folders[0] / "t1c.nii.gz").grid
    np.testing.assert_allclose(reference.corners().mean(axis=0), 0, atol=1e-4)
    for name in names:
        one, two = (read_volume(folder / name) for folder in folders)
        np.testing.assert_array_equal(one.array, two.array)
        assert one.grid.same_as(reference)
        assert one.array.min() == 0
        assert one.array.max() == BRIGHTEST or (name == "seg.nii.gz" and one.array.max() <= 3)


def test_phantom_refuses_a_folder_it_cannot_make(run, tmp_path, capsys) -> None:
    assert run("phantom", "--output", tmp_path / "no" / "case") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_export_of_a_model_given_by_its_card(run, tiny_card: Path, tmp_path, capsys) -> None:
    pytest.importorskip("onnxscript")
    folder = Path(shutil.copytree(tiny_card.parent, tmp_path / "model"))
    (folder / "tiny.onnx").unlink()
    assert run("export", "--model", folder / tiny_card.name) == 0
    card = load_package(folder / tiny_card.name).card
    assert card.onnx is not None
    assert (folder / "tiny.onnx").read_bytes() == (tiny_card.parent / "tiny.onnx").read_bytes()
    assert card.onnx.sha256 in capsys.readouterr().out


def test_export_of_an_unknown_model(run, capsys) -> None:
    assert run("export", "--model", "nonsense") == 2
    assert "no model named 'nonsense'" in capsys.readouterr().err


def test_train_refuses_a_missing_configuration(run, tmp_path, capsys) -> None:
    pytest.importorskip("torch")
    assert run("train", tmp_path / "no.json", tmp_path / "out") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def fail(error: type[ImportError], message: str, name: str) -> None:
    with needs("train"):
        raise error(message, name=name)


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"package nilearn.*brainsegaccel\[train\]"):
        fail(ModuleNotFoundError, "No module named 'nilearn'", "nilearn.image")
    with pytest.raises(ImportError, match="BrainSegAccelLib"):
        fail(ImportError, "cannot import from BrainSegAccelLib", "BrainSegAccelLib.training")


def broken(error: BaseException, *_request: object) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("no"), 2, "brainsegaccel: no"),
        (KeyboardInterrupt(), 130, "brainsegaccel: interrupted"),
        (ZeroDivisionError("a\nb"), 1, "failed, ZeroDivisionError: a b; set BRAINSEGACCEL_"),
        (MemoryError(), 1, "not enough memory"),
    ],
)
def test_exit_codes(
    services, case_dir, tmp_path, capsys, monkeypatch, error, code, message
) -> None:
    monkeypatch.delenv("BRAINSEGACCEL_TRACEBACK", raising=False)
    from BrainSegAccelLib.cli.services import Services

    arguments = ["segment", str(case_dir), "--output", str(tmp_path / "o.nrrd")]
    assert main(arguments, Services(partial(broken, error))) == code
    stderr = capsys.readouterr().err
    assert message in stderr
    assert len(stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_traceback_on_request(services, case_dir, tmp_path, monkeypatch) -> None:
    from BrainSegAccelLib.cli.services import Services

    monkeypatch.setenv("BRAINSEGACCEL_TRACEBACK", "1")
    arguments = ["segment", str(case_dir), "--output", str(tmp_path / "o.nrrd")]
    with pytest.raises(ZeroDivisionError):
        main(arguments, Services(partial(broken, ZeroDivisionError())))


def test_arguments_default_to_those_of_the_process(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["brainsegaccel", "--version"])
    assert main() == 0
    assert __version__ in capsys.readouterr().out
