"""What a run tells: log lines and the refusals of the command."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.training.reporting import BarReport, LogReport, TensorBoardReport  # noqa: E402
from BrainSegAccelLib.training.run import train  # noqa: E402
from BrainSegAccelLib.training.train import CHECKPOINT, Progress  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import (  # noqa: E402
    EventAccumulator,
)


def progress(step: int, scores: dict[str, float] | None = None) -> Progress:
    return Progress(step, 10, 1, 0.5 * step, 1e-3, 2.0, 120.0, scores)


def test_log_averages_between_lines_and_always_tells_validation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    report = LogReport(seconds=math.inf)
    for step in (1, 2, 3):
        report(progress(step, {"WT": 0.75} if step == 3 else None))
    report(progress(10))
    assert caplog.messages == [
        "step 1/10 stage 2 loss 0.5000 lr 1.00e-03 2.00 s/step eta 2 min",
        "step 3/10 stage 2 loss 1.2500 lr 1.00e-03 2.00 s/step eta 2 min | validation WT 0.750",
        "step 10/10 stage 2 loss 5.0000 lr 1.00e-03 2.00 s/step eta 2 min",
    ]


def test_bar_shows_the_step_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with BarReport() as bar:
        bar(progress(4))
    written = capsys.readouterr()
    assert written.out == ""
    assert "4/10" in written.err
    assert "2 min left" in written.err


def test_tensorboard_shows_each_step_once_after_a_kill(tmp_path: Path) -> None:
    with TensorBoardReport(tmp_path) as report:
        for step in (1, 2, 3):
            report(progress(step, {"own/WT": 0.5} if step == 3 else None))
    with TensorBoardReport(tmp_path) as report:
        for step in (2, 3):
            report(progress(step))
    log = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in log.Scalars("loss")] == [1, 2, 3]
    assert log.Scalars("validation/own/WT") == []


def test_a_run_does_not_overwrite_another(tmp_path: Path) -> None:
    config = tmp_path / "toy.json"
    config.write_text('{"name": "toy", "stages": [{"steps": 1}]}')
    (tmp_path / CHECKPOINT).touch()
    with pytest.raises(InputError, match="add --resume"):
        train(config, tmp_path)


@pytest.mark.parametrize(
    ("device", "message"), [("tpu", "no device named 'tpu'"), ("cuda", "finds no CUDA device")]
)
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, device: str, message: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has one")
    config = tmp_path / "toy.json"
    config.write_text('{"name": "toy", "stages": [{"steps": 1}]}')
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


def test_resuming_nothing_leaves_nothing_behind(tmp_path: Path) -> None:
    config = tmp_path / "toy.json"
    config.write_text('{"name": "toy", "stages": [{"steps": 1}]}')
    with pytest.raises(InputError, match="run: no checkpoint to resume from"):
        train(config, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_missing_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json: cannot read"):
        train(tmp_path / "absent.json", tmp_path / "run")
    assert not (tmp_path / "run").exists()
