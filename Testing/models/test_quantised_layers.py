"""What is read from INT8 exports, those that ship and one that is not as they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from BrainSegAccelLib.errors import ModelError
from BrainSegAccelLib.models.package import ModelPackage, load_package, shipped_models
from BrainSegAccelLib.models.quantised_layers import quantised_layers

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.networks import load_network  # noqa: E402


@pytest.mark.parametrize("name", shipped_models())
def test_the_weights_that_ship_are_those_of_the_network_to_half_a_step(name: str) -> None:
    package = load_package(name)
    record = package.card.quantised
    assert record is not None
    network = load_network(package)
    layers = quantised_layers(package.quantised().whole())
    assert len(layers) == record.layers
    assert "stem" not in layers
    for module, layer in layers.items():
        convolution = network.get_submodule(module)
        assert isinstance(convolution, torch.nn.Conv3d)
        step = layer.weight_range.reshape(-1, 1, 1, 1, 1) / 127
        off = np.abs(layer.weight - convolution.weight.detach().numpy()) / step
        assert off.max() < 0.501
        assert layer.input_range > 0
        assert (layer.bias is None) is (convolution.bias is None)


def test_a_zero_that_is_not_in_the_middle_is_refused(quantised_package: ModelPackage) -> None:
    model = onnx.load_from_string(quantised_package.quantised().whole())
    (zero, *_) = (t for t in model.graph.initializer if t.data_type == onnx.TensorProto.UINT8)
    zero.CopyFrom(onnx.numpy_helper.from_array(np.array(3, np.uint8), zero.name))
    with pytest.raises(ModelError, match="export --int8"):
        quantised_layers(model.SerializeToString())
