"""Weights of earlier trainings: taken where they fit, tied to the run, else refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.errors import InputError, ModelError  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.models.package import load_package  # noqa: E402
from BrainSegAccelLib.training.checkpoint import save_weights  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.run import train  # noqa: E402
from BrainSegAccelLib.training.train import Trainer  # noqa: E402

CPU = torch.device("cpu")
SMALL = HybridConfig(
    widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
)


def config(network: HybridConfig = SMALL, seed: int = 0) -> TrainingConfig:
    stage = Stage(steps=1, shape=(32, 32, 32), case_voxel=4, whole_brain=False)
    return TrainingConfig(
        name="toy", seed=seed, network=network, stages=(stage,), workers=0, validation_cases=0
    )


def saved(folder: Path, network: HybridConfig = SMALL, seed: int = 7) -> Path:
    """Write the weights of a network that no training of :func:`config` begins with."""
    torch.manual_seed(seed)
    path = folder / f"earlier-{seed}.safetensors"
    save_weights(path, HybridNetwork(network, 4, 3).state_dict(), config(network).header)
    return path


def configured(folder: Path, settings: TrainingConfig) -> Path:
    path = folder / "toy.json"
    path.write_text(settings.model_dump_json())
    return path


def test_a_run_starts_from_the_weights_given(tmp_path: Path) -> None:
    weights = read_pretrained(str(saved(tmp_path)))
    trainer = Trainer(config(), tmp_path, CPU, initial=weights)
    for network in (trainer.model.network, trainer.average.module):
        found = network.state_dict()
        assert all(torch.equal(found[name], weights.tensors[name]) for name in found)


def test_a_model_package_can_be_built(tiny_card: Path) -> None:
    package = load_package(tiny_card)
    weights = read_pretrained(str(tiny_card))
    assert weights.sha256 == package.card.weights.sha256
    network = weights.build(CPU)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = SMALL.model_copy(update={"widths": (8, 8, 16, 8)})
    with pytest.raises(InputError, match=r"earlier-7.*widths \(8, 8, 16, 8\) instead of") as error:
        train(configured(tmp_path, config()), tmp_path / "run", initial=str(saved(tmp_path, other)))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_the_same_weights_are_asked_for_on_resuming(tmp_path: Path) -> None:
    path, run = configured(tmp_path, config()), tmp_path / "run"
    first, other = str(saved(tmp_path, seed=7)), str(saved(tmp_path, seed=8))
    train(path, run, initial=first, teachers=[other])
    train(path, run, initial=first, teachers=[other], resume=True)
    wrong: list[tuple[str | None, list[str]]] = [
        (None, [other]),
        (other, [other]),
        (first, []),
        (first, [first]),
        (first, [other, first]),
    ]
    for initial, teachers in wrong:
        with pytest.raises(InputError, match="another training configuration"):
            train(path, run, initial=initial, teachers=teachers, resume=True)


def test_a_configuration_can_ask_for_its_files(tmp_path: Path) -> None:
    right, wrong = str(saved(tmp_path, seed=7)), str(saved(tmp_path, seed=8))
    asked = config().model_copy(update={"teacher": read_pretrained(right).sha256})
    path = configured(tmp_path, asked)
    given: list[tuple[list[str], str]] = [
        ([], "none was given"),
        ([wrong], "was given"),
        ([right, wrong], "was given"),
    ]
    for teachers, found in given:
        with pytest.raises(InputError, match=f"--teacher: .*{found}"):
            train(path, tmp_path / "run", teachers=teachers)
    train(path, tmp_path / "run", teachers=[right])
    recorded = TrainingConfig.model_validate_json((tmp_path / "run/training.json").read_bytes())
    assert recorded == asked


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, InputError, "cannot be read"),
        (b"PK\x03\x04", ModelError, "pickle"),
        (b"nothing", ModelError, "not a whole safetensors file"),
    ],
)
def test_unusable_files_are_refused(
    tmp_path: Path, content: bytes | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "bad.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=rf"bad\.safetensors: .*{message}"):
        read_pretrained(str(path))


def test_weights_without_their_network_are_refused(tiny_card: Path) -> None:
    with pytest.raises(InputError, match=r"tiny\.safetensors: does not tell which network"):
        read_pretrained(str(tiny_card.with_name("tiny.safetensors")))
