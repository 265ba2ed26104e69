"""Training of the brain network by the one trainer, on coarse heads to be quick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")
pytest.importorskip("scipy")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig, UNetConfig  # noqa: E402
from BrainSegAccelLib.models.networks import new_network  # noqa: E402
from BrainSegAccelLib.preprocessing.normalisers.unit_range import unit_range  # noqa: E402
from BrainSegAccelLib.synthesis.heads import HeadGenerator  # noqa: E402
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402
from BrainSegAccelLib.training.brain import HeadSource, draw_head, synthetic_heads  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.normalisation import scale_to_unit  # noqa: E402
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.run import train  # noqa: E402
from BrainSegAccelLib.training.train import WEIGHTS, Trainer  # noqa: E402
from pydantic import ValidationError  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

CPU = torch.device("cpu")
VOXEL = 6.0
STAGE = Stage(steps=4, shape=(48, 48, 48), case_voxel=VOXEL, samples_per_case=2, batch_size=2)
CONFIG = TrainingConfig(
    name="toy-brain",
    task="brain",
    network=UNetConfig(widths=(4, 8, 8, 8)),
    stages=(STAGE,),
    workers=0,
    learning_rate=4e-3,
    final_learning_rate=0,
    warm_up_steps=1,
    cross_entropy_weight=1.0,
    validation_cases=0,
)


@pytest.fixture(scope="module")
def generator() -> HeadGenerator:
    return HeadGenerator(VOXEL)


def test_heads_show_a_brain_in_air(generator: HeadGenerator) -> None:
    head = generator.generate(3, sequences=(3, 0))
    assert head.images.shape == (2, *head.mask.shape)
    litres = float(head.mask.sum()) * VOXEL**3 / 1e6
    assert 0.8 < litres < 2.2
    assert not (head.mask & head.air).any()
    for image in head.images:
        assert image[head.air].mean() < 0.5 * image[head.mask].mean()


def test_samples_show_whole_brains_in_any_contrast() -> None:
    source = HeadSource(VOXEL, 2, CPU)
    levels = []
    for seed in range(4):
        head = source.case(seed)
        assert len(head.images) == 2
        for turn in range(2):
            sample = draw_head(Rng(10 * seed + turn, CPU), head, STAGE, CONFIG, turn)
            x, brain = sample.x.float(), sample.regions.bool()
            assert x.shape == brain.shape == (1, *STAGE.shape)
            assert sample.availability.tolist() == [1]
            assert 0 <= x.min() < x.max() <= 1
            assert brain.sum() > 0.97 * head.mask.sum()
            levels.append(float(x[brain].mean()))
    assert max(levels) - min(levels) > 0.2


def test_the_same_number_is_the_same_head_and_the_same_sample() -> None:
    one, other = (HeadSource(VOXEL, 1, CPU).case(5) for _ in range(2))
    assert torch.equal(one.images, other.images)
    for first, second in zip(
        *(draw_head(Rng(1, CPU), head, STAGE, CONFIG, 0) for head in (one, other)), strict=True
    ):
        assert torch.equal(first, second)


def test_intensities_are_scaled_as_in_inference() -> None:
    image = np.random.default_rng(0).gamma(2.0, 100.0, (9, 11, 13)).astype(np.float32)
    actual = scale_to_unit(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(actual, unit_range(image), atol=1e-6)


def test_validation_shows_every_sequence_in_the_window_of_inference() -> None:
    one = synthetic_heads(CONFIG.model_copy(update={"validation_cases": 4}), CPU)
    assert one.count == 4
    case = one.read(0)
    assert case.x.shape == case.regions.shape == (1, 112, 112, 96)
    assert case.voxel == 2.5
    litres = float(case.regions.sum()) * 2.5**3 / 1e6
    assert 0.8 < litres < 2.2
    assert case.x[case.regions].float().mean() > 0.05


def test_a_run_learns_resumes_and_leaves_weights_of_its_task(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    path.write_text(CONFIG.model_dump_json())
    straight, broken = [], []
    for folder, losses, stops in (("straight", straight, [None]), ("broken", broken, [1, None])):
        for number, stop in enumerate(stops):
            listeners = (lambda progress, losses=losses: losses.append(progress.loss),)
            trainer = Trainer(CONFIG, tmp_path / folder, CPU, listeners=listeners)
            if number:
                trainer.resume()
            trainer.run(until=lambda trainer=trainer, stop=stop: trainer.step == stop)
    assert straight == broken
    assert straight[-1] < straight[0]
    written = tmp_path / "straight" / WEIGHTS
    assert all(
        torch.equal(tensor, load_file(tmp_path / "broken" / WEIGHTS)[name])
        for name, tensor in load_file(written).items()
    )
    weights = read_pretrained(str(written))
    assert (weights.task, weights.network) == ("brain", CONFIG.network)
    assert weights.build(CPU)(torch.zeros(1, 1, 48, 48, 48)).shape == (1, 1, 48, 48, 48)
    train(path, tmp_path / "on", initial=str(written))
    tumour = tmp_path / "tumour.json"
    tumour.write_text(TrainingConfig(name="toy", stages=(Stage(steps=1),)).model_dump_json())
    with pytest.raises(InputError, match="weights of a network for the task brain, not tumour"):
        train(tumour, tmp_path / "other", teachers=[str(written)])


@pytest.mark.parametrize("option", ["prune", "qat"])
def test_what_only_the_tumour_networks_training_knows_is_refused(
    tmp_path: Path, option: str
) -> None:
    path = tmp_path / "toy.json"
    path.write_text(CONFIG.model_dump_json())
    with pytest.raises(InputError, match=f"--{option}: is not there for the task brain"):
        train(path, tmp_path / "run", **{option: True})
    with pytest.raises(InputError, match="--data: is not there for the task brain"):
        train(path, tmp_path / "run", data=tmp_path)


def test_a_network_that_does_not_fit_its_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="a hybrid does not take what brain gives"):
        TrainingConfig(name="toy", task="brain", network=HybridConfig(), stages=(STAGE,))
    with pytest.raises(ValidationError, match="case_voxel 6: brains are made in voxels of 1, 2, 4"):
        TrainingConfig(name="toy", stages=(STAGE,))
    assert new_network(CONFIG.network, 1, 1)(torch.zeros(1, 1, 32, 32, 32)).shape[1] == 1
