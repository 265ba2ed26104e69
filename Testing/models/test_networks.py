"""Networks of every kind: built from their cards, and for every task with the same parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import backends, references, suits
from BrainSegAccelLib.errors import InputError, UnavailableError
from BrainSegAccelLib.models.config import GraphConfig, UNetConfig
from BrainSegAccelLib.models.package import ModelPackage, load_package, shipped_models
from BrainSegAccelLib.runs.pipeline import Pipeline

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.export import onnx_bytes  # noqa: E402
from BrainSegAccelLib.models.networks import DeployedNetwork, build_network  # noqa: E402
from BrainSegAccelLib.models.unet import UNet  # noqa: E402


@pytest.fixture(scope="module")
def brain() -> ModelPackage:
    return load_package("brain")


def test_the_brain_network_is_a_model_for_its_own_task(brain: ModelPackage) -> None:
    assert shipped_models("brain") == ["brain"]
    assert "brain" not in shipped_models()
    brain.require_task("brain")
    with pytest.raises(InputError, match="brain is a model for the task brain, not tumour; give"):
        brain.require_task("tumour")


def test_the_brain_networks_files_are_small_and_whole(brain: ModelPackage) -> None:
    for content in (brain.weights(), brain.onnx().whole()):
        assert 10_000 < len(content) < 1_000_000


@pytest.mark.parametrize("name", ["eager", "onnxruntime", "openvino"])
def test_backends_run_a_network_without_availability(
    brain: ModelPackage, engine_cache: EngineCache, name: str
) -> None:
    shape = brain.card.inference.window
    x = np.random.default_rng(0).random((1, 1, *shape), np.float32)
    network = DeployedNetwork(build_network(brain.card))
    from BrainSegAccelLib.models.weights import load_into, parse_weights

    load_into(network.network, parse_weights(brain.weights(), "brain"), "brain")
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(x))[0].numpy()
    engine = backends()[name].build(brain, shape, Precision.FP32, Device.CPU, engine_cache)
    found = engine(x)
    assert found.shape == (1, *shape)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_same_command_exports_every_model(brain: ModelPackage) -> None:
    import onnxruntime

    x = np.random.default_rng(1).random((1, 1, *brain.card.inference.window), np.float32)
    shipped = brain.onnx()
    found, expected = (
        onnxruntime.InferenceSession(content).run(None, {"x": x})[0]
        for content in (replace(shipped, graph=onnx_bytes(brain)).whole(), shipped.whole())
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2)])
def test_every_input_voxel_gets_a_logit_a_channel(inputs: int, outputs: int) -> None:
    network = UNet(UNetConfig(widths=(4, 4, 8, 8)), inputs, outputs)
    assert network(torch.rand(2, inputs, 32, 48, 16)).shape == (2, outputs, 32, 48, 16)


def test_softmax_is_taken_over_the_channels() -> None:
    network = UNet(UNetConfig(widths=(4, 4, 8, 8)), 2, 3)
    found = DeployedNetwork(network, "softmax").eval()(torch.rand(1, 2, 32, 16, 16))
    torch.testing.assert_close(found.sum(1), torch.ones(1, 32, 16, 16))


def test_a_graph_is_not_built(tiny_package: ModelPackage) -> None:
    card = tiny_package.card.model_copy(update={"network": GraphConfig()})
    with pytest.raises(UnavailableError, match="tiny is an ONNX graph, which PyTorch does not run"):
        build_network(card)


def test_backends_that_need_pytorch_say_so_of_a_graph(tiny_package: ModelPackage) -> None:
    card = tiny_package.card.model_copy(update={"network": GraphConfig()})
    able = {name for name, backend in backends().items() if suits(backend, card).ok}
    assert able == {"onnxruntime", "openvino"}
    assert [backend.name for backend in references(card)] == ["onnxruntime", "openvino"]
    assert references(tiny_package.card)[0].name == "eager"
    graph = replace(tiny_package, card=card)
    with pytest.raises(UnavailableError, match="tiny is an ONNX graph, and no network in PyTorch"):
        Pipeline(graph, EngineChoice(backend="eager", precision=Precision.FP32))


def test_a_graph_runs_as_the_network_does(
    tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    card = tiny_package.card.model_copy(update={"network": GraphConfig()})
    window = card.inference.window
    x = np.random.default_rng(2).normal(size=(1, 4, *window)).astype(np.float32)
    found = [
        backends()["onnxruntime"].build(package, window, Precision.FP32, Device.CPU, engine_cache)(
            x
        )
        for package in (tiny_package, replace(tiny_package, card=card))
    ]
    np.testing.assert_array_equal(*found)
