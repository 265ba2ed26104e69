"""Runs of one recipe from one start, and the average of their weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.training.checkpoint import save_weights  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig, read_config  # noqa: E402
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.run import train  # noqa: E402
from BrainSegAccelLib.training.train import WEIGHTS  # noqa: E402

TOOL = Path(__file__).parents[2] / "tools" / "average_weights.py"
NETWORK = HybridConfig(
    widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``one`` and ``two`` from one start, and ``other`` from random weights."""
    folder = tmp_path_factory.mktemp("runs")
    stage = Stage(steps=1, shape=(32, 32, 32), case_voxel=4, whole_brain=False)
    settings = TrainingConfig(
        name="toy", seed=0, network=NETWORK, stages=(stage,), workers=0, validation_cases=0
    )
    config, start = folder / "toy.json", folder / "start.safetensors"
    config.write_text(settings.model_dump_json())
    save_weights(start, HybridNetwork(NETWORK, 4, 3).state_dict(), settings)
    train(config, folder / "one", initial=str(start))
    train(config, folder / "two", initial=str(start), seed=1)
    train(config, folder / "other")
    return folder


def average(
    first: Path, second: Path, output: Path, *through: Path
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, first, second, output, "--share", "0.25"]
    if through:
        command += ["--through", *through]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_another_seed_is_another_run(runs: Path) -> None:
    one, two = (read_config(runs / name / "training.json") for name in ("one", "two"))
    assert one.model_copy(update={"seed": 1}) == two
    assert one.initial_weights == two.initial_weights
    assert read_pretrained(str(runs / "one" / WEIGHTS)).sha256 != (
        read_pretrained(str(runs / "two" / WEIGHTS)).sha256
    )


def test_runs_from_one_start_are_averaged(runs: Path, tmp_path: Path) -> None:
    done = average(runs / "one", runs / "two", tmp_path / "mean")
    assert done.returncode == 0, done.stderr
    one, two, mean = (
        read_pretrained(str(folder / WEIGHTS)).tensors
        for folder in (runs / "one", runs / "two", tmp_path / "mean")
    )
    for name, tensor in mean.items():
        expected = 0.75 * one[name].float() + 0.25 * two[name].float()
        torch.testing.assert_close(tensor.float(), expected)
    assert read_config(tmp_path / "mean" / "training.json").seed == 1


def test_runs_that_share_nothing_are_refused(runs: Path, tmp_path: Path) -> None:
    done = average(runs / "one", runs / "other", tmp_path / "mean")
    assert done.returncode != 0
    assert "began neither with the weights of the first nor as it did" in done.stderr
    assert not (tmp_path / "mean").exists()


def test_a_run_and_what_became_of_it_later_are_averaged(runs: Path, tmp_path: Path) -> None:
    """``one``, the mean of it and ``two``, and a run that began with that mean."""
    assert average(runs / "one", runs / "two", tmp_path / "mean").returncode == 0
    initial = str(tmp_path / "mean" / WEIGHTS)
    train(runs / "toy.json", tmp_path / "later", initial=initial, seed=2)
    train(runs / "toy.json", tmp_path / "last", initial=str(tmp_path / "later" / WEIGHTS), seed=3)
    between = (tmp_path / "later", tmp_path / "mean")
    refused = average(runs / "one", tmp_path / "last", tmp_path / "whole", *between[:1])
    assert "--through" in refused.stderr
    done = average(runs / "one", tmp_path / "last", tmp_path / "whole", *between)
    assert done.returncode == 0, done.stderr
