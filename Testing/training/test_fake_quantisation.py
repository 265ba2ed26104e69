"""Quantisation-aware training: it rounds as the INT8 export does, learns, and leaves no traces."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.cli.main import main  # noqa: E402
from BrainSegAccelLib.models.card import FileRecord  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.models.networks import load_network  # noqa: E402
from BrainSegAccelLib.models.package import ModelPackage, load_package  # noqa: E402
from BrainSegAccelLib.training.checkpoint import load_checkpoint  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig, read_config  # noqa: E402
from BrainSegAccelLib.training.fake_quantisation import (  # noqa: E402
    QuantisedConvolution,
    calibrate,
    quantise,
)
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.train import CHECKPOINT, WEIGHTS, Trainer  # noqa: E402
from safetensors.torch import load_file, save, save_file  # noqa: E402

CPU = torch.device("cpu")
TOY = HybridConfig(
    widths=(8, 8, 8, 8),
    encoder_blocks=(1, 0, 0, 0),
    ssd_blocks=(0, 1),
    head_width=8,
    state_width=4,
    chunk_length=8,
)


def config(**changes: object) -> TrainingConfig:
    stage = Stage(steps=4, shape=(48, 48, 48), case_voxel=4, samples_per_case=3)
    return TrainingConfig(
        **{
            "name": "toy",
            "network": TOY,
            "stages": (stage,),
            "workers": 0,
            "warm_up_steps": 1,
            "validation_cases": 0,
            "quantisation_aware": True,
            **changes,
        }
    )


def quantised_layers(network: torch.nn.Module) -> dict[str, QuantisedConvolution]:
    return {n: m for n, m in network.named_modules() if isinstance(m, QuantisedConvolution)}


def noise_network(seed: int = 0) -> HybridNetwork:
    torch.manual_seed(seed)
    return HybridNetwork(TOY, 4, 3)


def calibrated(network: HybridNetwork, inputs: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    quantise(network)
    network.train()
    calibrate(network, lambda: [network(*pair) for pair in inputs])
    network.eval()


def noise(seed: int = 1, count: int = 2) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    return [(torch.randn(1, 4, 32, 32, 32), torch.ones(1, 4)) for _ in range(count)]


@pytest.fixture(scope="module")
def inputs_of_the_export(quantised_package: ModelPackage) -> list[tuple[np.ndarray, np.ndarray]]:
    """The calibration of the shared INT8 export, see its fixture."""
    from BrainSegAccelLib.models.calibration import calibration_of

    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 1, 4, *quantised_package.card.inference.window)).astype(np.float32)
    calibration = calibration_of([(each, np.ones((1, 4), np.float32)) for each in x])
    assert calibration.record == quantised_package.card.quantised.calibration
    return list(calibration.inputs)


@pytest.fixture(scope="module")
def fake(quantised_package: ModelPackage, inputs_of_the_export) -> HybridNetwork:
    """The tiny model with fake quantisation, on the calibration of its INT8 export."""
    network = load_network(quantised_package)
    pairs = [(torch.from_numpy(x), torch.from_numpy(a)) for x, a in inputs_of_the_export]
    calibrated(network, pairs)
    return network


def test_scales_are_those_of_the_export(
    quantised_package: ModelPackage, fake: HybridNetwork
) -> None:
    """Of every convolution: of the input and its sign, and of each channel's weights."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load_from_string(quantised_package.quantised().whole()).graph
    values = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    layers = quantised_layers(fake)
    seen = set()
    for node in graph.node:
        weight = made_by.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or weight.op_type != "DequantizeLinear":
            continue
        name = node.input[1].split("network.")[1].rsplit(".weight", 1)[0]
        seen.add(name)
        layer = layers[name]
        rounding = made_by[made_by[node.input[0]].input[0]]
        scale, zero = (values[each] for each in rounding.input[1:3])
        most = 255 if zero.dtype == np.uint8 else 127
        assert (zero.dtype == np.int8) == bool(layer.lowest < 0), name
        assert float(layer.largest) / most == pytest.approx(float(scale), rel=1e-4), name
        largest = layer.weight.detach().abs().flatten(1).amax(1).numpy()
        np.testing.assert_allclose(largest / layer.steps, values[weight.input[1]], rtol=1e-4)
    assert seen == set(layers)


def test_outputs_are_those_of_the_export(
    quantised_package: ModelPackage, fake: HybridNetwork, inputs_of_the_export
) -> None:
    """But for corrected biases, and the rounding that follows from the order of sums."""
    from BrainSegAccelLib.backends.openvino import run_export

    rounded = run_export(quantised_package.quantised().whole())
    exact = run_export(quantised_package.onnx().whole())
    for x, there in inputs_of_the_export:
        with torch.no_grad():
            found = torch.sigmoid(fake(torch.from_numpy(x), torch.from_numpy(there)))[0].numpy()
        apart = np.abs(found - rounded(x, there)).mean()
        lost = np.abs(exact(x, there) - rounded(x, there)).mean()
        assert apart < 0.75 * lost
        assert apart < 0.02


def test_all_convolutions_but_the_stem_round() -> None:
    network = noise_network()
    before = [name for name, m in network.named_modules() if isinstance(m, torch.nn.Conv3d)]
    parameters = dict(network.named_parameters())
    quantise(network)
    assert set(quantised_layers(network)) == set(before) - {"stem"}
    after = dict(network.named_parameters())
    assert list(after) == list(parameters)
    assert all(after[name] is parameters[name] for name in parameters)


def test_values_lie_on_the_steps_of_their_scales() -> None:
    network = noise_network()
    calibrated(network, noise())
    for name, layer in quantised_layers(network).items():
        steps = 254 / 127 * layer.steps
        weight = layer._rounded_weight().detach().flatten(1)
        scale = layer.weight.detach().flatten(1).abs().amax(1, keepdim=True) / layer.steps
        torch.testing.assert_close(weight / scale, (weight / scale).round(), msg=name)
        assert all(len(row.unique()) <= steps + 2 for row in weight), name
        apart = (weight - layer.weight.detach().flatten(1)).abs()
        assert (apart <= 0.5001 * scale).all(), name


def test_gradients_pass_the_rounding() -> None:
    network = noise_network()
    (pair, *_) = pairs = noise()
    calibrated(network, pairs)
    network.train()
    network(*pair).square().mean().backward()
    for name, layer in quantised_layers(network).items():
        gradient = layer.weight.grad
        assert gradient is not None, name
        assert gradient.isfinite().all(), name
        assert gradient.abs().sum() > 0, name


def test_ranges_follow_in_training_only_and_survive_an_overflow() -> None:
    layer = QuantisedConvolution(torch.nn.Conv3d(2, 2, 1), 127.0)
    layer.train()
    small, large = torch.ones(1, 2, 4, 4, 4), torch.full((1, 2, 4, 4, 4), -3.0)
    layer(small)
    layer(large)
    assert float(layer.largest) == pytest.approx(2)
    assert float(layer.lowest) == pytest.approx(-1)
    layer(torch.full_like(small, float("inf")))
    layer.eval()
    layer(100 * large)
    assert float(layer.largest) == pytest.approx(2)


class Spy:
    """A validation that keeps what it is given."""

    sets = (None,)

    def __init__(self) -> None:
        self.networks: list[HybridNetwork] = []

    def score(self, network: HybridNetwork) -> dict[str, float]:
        self.networks.append(network)
        return {}


@dataclass
class Run:
    folder: Path
    trainer: Trainer
    losses: list[float]
    scored: list[HybridNetwork]


def run(folder: Path, *, stop_after: int | None = None, resume: bool = False) -> Run:
    losses: list[float] = []
    spy = Spy()
    listeners = (lambda progress: losses.append(progress.loss),)
    trainer = Trainer(config(), folder, CPU, validation=spy, listeners=listeners)
    if resume:
        trainer.resume()
    trainer.run(until=lambda: trainer.step == stop_after)
    return Run(folder, trainer, losses, spy.networks)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("straight"))


@pytest.mark.parametrize("stop_after", [1, 3])
def test_resumed_run_ends_in_the_same_weights_and_ranges(
    tmp_path: Path, straight: Run, stop_after: int
) -> None:
    run(tmp_path, stop_after=stop_after)
    rest = run(tmp_path, resume=True)
    assert rest.losses == straight.losses[stop_after:]
    expected = load_checkpoint(straight.folder / CHECKPOINT, config())
    actual = load_checkpoint(tmp_path / CHECKPOINT, config())
    for key in ("model", "average", "optimiser", "schedule"):
        torch.testing.assert_close(actual[key], expected[key], rtol=0, atol=0)
    assert expected["model"]["network.head.largest"] > 0


def test_what_is_written_is_an_ordinary_network(straight: Run) -> None:
    weights = load_file(straight.folder / WEIGHTS)
    network = HybridNetwork(TOY, 4, 3)
    assert weights.keys() == network.state_dict().keys()
    read_pretrained(str(straight.folder / WEIGHTS)).load_into(network)


def test_validation_sees_what_int8_finds(straight: Run) -> None:
    (network,) = straight.scored
    layers, trained = (quantised_layers(n) for n in (network, straight.trainer.model.network))
    assert layers.keys() == trained.keys()
    assert all(torch.equal(layers[name].largest, trained[name].largest) for name in layers)
    for name, parameter in straight.trainer.average.module.named_parameters():
        assert torch.equal(network.get_parameter(name), parameter), name


def test_calibration_sees_the_first_samples(tmp_path: Path) -> None:
    trainer = Trainer(config(), tmp_path, CPU)
    calibrate(trainer.model.network, trainer._run_first_samples)
    for layer in quantised_layers(trainer.model.network).values():
        assert float(layer.seen) == config().steps
        assert layer.rounds


@pytest.mark.slow
def test_the_export_loses_less_afterwards(tiny_card: Path, tmp_path: Path) -> None:
    """Small weights beside a large one vanish in INT8; training brings back what they did."""
    pytest.importorskip("nncf", reason="INT8 exports are made with the int8 extra")
    exact = load_network(load_package(tiny_card))
    torch.manual_seed(0)
    with torch.no_grad():
        weight = exact.head.weight
        signs = torch.randn(len(weight), weight.shape[1], 1, 1, 1).sign()
        weight.uniform_(0.0, 0.006).mul_(signs)
        weight[:, 0, 1, 1, 1] = 1.0
    tuned = copy.deepcopy(exact)
    quantise(tuned)
    tuned.train()
    calibrate(tuned, lambda: [tuned(*pair) for pair in noise(1, 4)])
    optimiser = torch.optim.Adam(tuned.parameters(), lr=3e-4)
    for pair in noise(2, 30):
        with torch.no_grad():
            wanted = torch.sigmoid(exact(*pair))
        loss = (torch.sigmoid(tuned(*pair)) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    before, after = (
        int8_error(network, exact, tiny_card, tmp_path / name)
        for name, network in (("before", exact), ("after", tuned))
    )
    assert after < 0.6 * before


def int8_error(
    network: HybridNetwork, exact: HybridNetwork, tiny_card: Path, folder: Path
) -> float:
    """Mean squared distance of an INT8 export of ``network`` from ``exact`` on new inputs."""
    from BrainSegAccelLib.backends.openvino import run_export
    from BrainSegAccelLib.models.calibration import calibration_of
    from BrainSegAccelLib.models.export import export_onnx, write_card
    from BrainSegAccelLib.models.external_data import inline_weights
    from BrainSegAccelLib.models.quantise import quantised_onnx

    names = exact.state_dict().keys()
    content = save({name: network.state_dict()[name].contiguous() for name in names})
    folder.mkdir()
    (folder / "tiny.safetensors").write_bytes(content)
    record = FileRecord(file="tiny.safetensors", sha256=hashlib.sha256(content).hexdigest())
    card = load_package(tiny_card).card
    inference = card.inference.model_copy(update={"window": (32, 32, 32)})
    card = card.model_copy(update={"weights": record, "onnx": None, "inference": inference})
    path = write_card(card, folder)
    export_onnx(load_package(path))
    calibration = calibration_of([(x.numpy(), there.numpy()) for x, there in noise(3, 3)])
    graph, _ = quantised_onnx(load_package(path), calibration, run_export, 1.0)
    run_int8 = run_export(inline_weights(graph, content, record.file, "tiny.int8.onnx"))
    errors = []
    for x, there in noise(4, 3):
        with torch.no_grad():
            wanted = torch.sigmoid(exact(x, there))[0].numpy()
        errors.append(np.square(run_int8(x.numpy(), there.numpy()) - wanted).mean())
    return float(np.mean(errors))


def test_the_command_records_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    initial = tmp_path / "earlier.safetensors"
    save_file(
        noise_network().state_dict(),
        initial,
        metadata={"task": "tumour", "network": TOY.model_dump_json()},
    )
    path = tmp_path / "toy.json"
    plain = json.loads(config().model_dump_json())
    del plain["quantisation_aware"]
    path.write_text(json.dumps(plain))
    command = ["train", str(path), str(tmp_path / "run"), "--initial", str(initial)]
    assert main([*command, "--qat"]) == 0
    assert read_config(tmp_path / "run" / "training.json").quantisation_aware
    assert main([*command, "--resume"]) == 2
    assert "another training configuration" in capsys.readouterr().err
    assert main([*command, "--qat", "--resume"]) == 0
