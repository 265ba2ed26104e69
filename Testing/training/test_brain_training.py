"""Training of the brain network, on coarse heads to be quick."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")
pytest.importorskip("scipy")

from BrainSegAccelLib.models.config import UNetConfig  # noqa: E402
from BrainSegAccelLib.synthesis.heads import HeadGenerator  # noqa: E402
from BrainSegAccelLib.training.brain_training import (  # noqa: E402
    BrainTrainingConfig,
    draw_batch,
    train_brain,
)
from safetensors.torch import load_file  # noqa: E402

CONFIG = BrainTrainingConfig(
    network=UNetConfig(widths=(4, 8, 8, 8)), shape=(48, 48, 48), voxel=6.0, steps=3
)


@pytest.fixture(scope="module")
def generator() -> HeadGenerator:
    return HeadGenerator(CONFIG.voxel)


def test_heads_show_a_brain_in_air(generator: HeadGenerator) -> None:
    head = generator.generate(3, sequences=(3, 0))
    assert head.images.shape == (2, *head.mask.shape)
    litres = float(head.mask.sum()) * CONFIG.voxel**3 / 1e6
    assert 0.8 < litres < 2.2
    assert not (head.mask & head.air).any()
    for image in head.images:
        assert image[head.air].mean() < 0.5 * image[head.mask].mean()


def test_a_batch_shows_whole_brains_in_any_contrast(generator: HeadGenerator) -> None:
    levels = []
    for step in range(1, 6):
        images, target = draw_batch(CONFIG, generator, step)
        assert images.shape == target.shape == (2, 1, *CONFIG.shape)
        assert images.min() >= 0
        assert images.max() <= 1
        whole = generator.generate(CONFIG.seed * 1_000_000 + step).mask.sum()
        assert target.sum((1, 2, 3, 4)).min() > 0.97 * whole
        levels += [float(i[t > 0].mean()) for i, t in zip(images, target, strict=True)]
    assert max(levels) - min(levels) > 0.2


def test_same_step_same_batch(generator: HeadGenerator) -> None:
    for one, other in zip(
        draw_batch(CONFIG, generator, 2), draw_batch(CONFIG, generator, 2), strict=True
    ):
        assert torch.equal(one, other)


def test_training_learns_and_leaves_its_files(tmp_path: Path) -> None:
    losses: list[float] = []
    config = CONFIG.model_copy(update={"steps": 6})
    network = train_brain(config, tmp_path, listen=lambda step, loss: losses.append(loss))
    assert losses[-1] < losses[0]
    written = load_file(tmp_path / "weights.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(written[name], tensor)
    read = BrainTrainingConfig.model_validate_json((tmp_path / "training.json").read_text())
    assert read == config
