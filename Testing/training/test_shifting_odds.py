"""A region's threshold as a part of the weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.models.networks import DeployedNetwork  # noqa: E402
from BrainSegAccelLib.training.checkpoint import save_weights  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.train import WEIGHTS  # noqa: E402

TOOL = Path(__file__).parents[2] / "tools" / "shift_odds.py"
NETWORK = HybridConfig(
    widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    stage = Stage(steps=1, shape=(32, 32, 32), case_voxel=4, whole_brain=False)
    settings = TrainingConfig(name="toy", seed=0, network=NETWORK, stages=(stage,))
    (folder / "training.json").write_text(settings.model_dump_json())
    save_weights(folder / WEIGHTS, HybridNetwork(NETWORK, 4, 3).state_dict(), settings)
    return folder


def shift(run: Path, output: Path, factor: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, run, output, "--region", "TC", "--factor", factor]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def odds(run: Path) -> torch.Tensor:
    network = read_pretrained(str(run / WEIGHTS)).build(torch.device("cpu"))
    x = torch.randn(1, 4, 32, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        p = DeployedNetwork(network).eval()(x, torch.ones(1, 4)).double()
    return p / (1 - p)


def test_the_odds_of_one_region_are_multiplied_everywhere(run: Path, tmp_path: Path) -> None:
    done = shift(run, tmp_path / "shifted", "3")
    assert done.returncode == 0, done.stderr
    before, after = odds(run), odds(tmp_path / "shifted")
    torch.testing.assert_close(after[:, 1], 3 * before[:, 1], rtol=1e-4, atol=0)
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])


def test_a_factor_that_is_no_factor_is_refused(run: Path, tmp_path: Path) -> None:
    done = shift(run, tmp_path / "shifted", "0")
    assert "--factor" in done.stderr
    assert done.returncode != 0
    assert not (tmp_path / "shifted").exists()
