"""A user's own cases: found, mixed in, held out, refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.training.config import (  # noqa: E402
    Stage,
    TrainingConfig,
)
from BrainSegAccelLib.training.own_data import (  # noqa: E402
    open_own_data,
)
from BrainSegAccelLib.training.run import train  # noqa: E402

from .conftest import copy_case, rewrite_labels  # noqa: E402

CPU = torch.device("cpu")


def make_names(folder: Path, count: int) -> Path:
    for index in range(count):
        (folder / f"patient-{index}").mkdir(parents=True, exist_ok=True)
        for name in ("flair.nii", "seg.nii"):
            (folder / f"patient-{index}" / name).touch()
    return folder


def test_a_share_is_held_out_and_stays_so_when_cases_are_added(tmp_path: Path) -> None:
    first = open_own_data(make_names(tmp_path, 60), held_out_share=0.25)
    more = open_own_data(make_names(tmp_path, 120), held_out_share=0.25)
    before = {case.name for case in first.cases}
    held_out = {case.name for case in more.held_out}
    assert {case.name for case in first.held_out} == held_out & before
    assert not held_out & {case.name for case in more.training}
    assert len({case.name for case in more.cases}) == 120
    assert 15 <= len(more.held_out) <= 45
    assert not open_own_data(tmp_path, held_out_share=0.0).held_out


def test_nothing_left_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all 1 cases are held out.*held_out_share"):
        open_own_data(make_names(tmp_path, 1), held_out_share=0.9999)


@pytest.mark.parametrize(
    ("change", "shift_mm", "message"),
    [
        ({3: 7}, 0.0, r"seg\.nii\.gz: value 7 is no label"),
        ({}, 2.0, r"seg\.nii\.gz: does not lie on the grid of T1c \(t1c\.nii\.gz\)"),
    ],
)
def test_unusable_labels_are_found_before_training_begins(
    small_brains: Path, tmp_path: Path, change: dict[int, int], shift_mm: float, message: str
) -> None:
    copy_case(small_brains / "case-1", tmp_path / "data" / "good")
    rewrite_labels(copy_case(small_brains / "case-0", tmp_path / "data" / "bad"), change, shift_mm)
    config = tmp_path / "toy.json"
    config.write_text(toy().model_dump_json())
    with pytest.raises(InputError, match=message) as error:
        train(config, tmp_path / "run", data=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def toy() -> TrainingConfig:
    return TrainingConfig(
        name="toy",
        network=HybridConfig(
            widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
        ),
        stages=(Stage(steps=2, shape=(48, 48, 48), samples_per_case=1),),
        workers=0,
        own_data_share=1.0,
        held_out_share=0.0,
        validation_cases=0,
    )


def test_a_run_on_own_cases_is_tied_to_them(small_brains: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("case-0", "case-1"):
        copy_case(small_brains / name, data / name)
    config, run = tmp_path / "toy.json", tmp_path / "run"
    config.write_text(toy().model_dump_json())
    train(config, run, data=data)
    recorded = TrainingConfig.model_validate_json((run / "training.json").read_bytes())
    assert recorded.own_data == open_own_data(data, 0.0).sha256()
    train(config, run, data=data, resume=True)
    rewrite_labels(data / "case-1", {3: 1})
    for other in (data, None):
        with pytest.raises(InputError, match=r"another training configuration.*--data"):
            train(config, run, data=other, resume=True)
