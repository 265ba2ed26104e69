"""The network that a model card describes: built, filled with its weights, and as deployed."""

from __future__ import annotations

from typing import Literal, assert_never

import torch
from torch import Tensor, nn

from ..errors import UnavailableError
from .card import ModelCard
from .config import GraphConfig, HybridConfig, UNetConfig
from .hybrid import HybridNetwork
from .package import ModelPackage
from .precision import Precision
from .unet import UNet
from .weights import load_into, parse_weights

TrainableNetwork = HybridNetwork | UNet
"""The kinds of network of which more is known than an export."""

ROUNDED = {
    Precision.FP16: torch.float16,
    Precision.BF16: torch.bfloat16,
    # What INT8 leaves open: a GPU that computes in INT8 does in FP16.
    Precision.INT8: torch.float16,
}


def build_network(card: ModelCard) -> nn.Module:
    """Return the network that a card describes, untrained: inputs to logits [B, C, D, H, W].

    :raises UnavailableError: all that is known of it is its export.
    """
    if isinstance(card.network, GraphConfig):
        raise UnavailableError(
            f"{card.name} is an ONNX graph, which PyTorch does not run",
            remedy="use a backend that runs ONNX exports",
        )
    return new_network(card.network, len(card.inputs.channels), len(card.outputs.channels))


def new_network(config: HybridConfig | UNetConfig, inputs: int, outputs: int) -> TrainableNetwork:
    """Return a network with random weights.

    :param inputs: channels of the input.
    :param outputs: channels of the output.
    """
    match config:
        case HybridConfig():
            return HybridNetwork(config, inputs, outputs)
        case UNetConfig():
            return UNet(config, inputs, outputs)
        case _:
            assert_never(config)


def load_network(package: ModelPackage) -> nn.Module:
    """Return the network of a model package in evaluation mode, FP32, on the CPU.

    :raises UnavailableError: all that is known of it is its export.
    :raises ModelError: the weights cannot be trusted or do not fit.
    """
    card = package.card
    network = build_network(card)
    load_into(network, parse_weights(package.weights(), card.weights.file), card.weights.file)
    return network.eval()


class DeployedNetwork(nn.Module):
    """A network in one precision, from FP32 inputs to FP32 probabilities.

    FP16 and BF16 are PyTorch's autocast: convolutions, linear layers and most matrix products are
    rounded; the sums and exponentials of the state-space decay stay in FP32, see `ssd`. INT8 is
    FP16 but for the convolutions that are INT8 in the model's export, see `int8_convolution`. TF32
    is FP32 here: it is how a GPU multiplies, not a format of the graph.

    :param network: inputs to logits [B, C, D, H, W].
    :param activation: sigmoid of each channel, or softmax over the channels.
    """

    def __init__(
        self,
        network: nn.Module,
        activation: Literal["sigmoid", "softmax"] = "sigmoid",
        precision: Precision = Precision.FP32,
    ) -> None:
        super().__init__()
        self.network = network
        self.activation = activation
        self.rounded = ROUNDED.get(precision)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Probabilities [B, C, D, H, W] in FP32.

        :param inputs: as the network takes them: x [B, C, D, H, W], and availability [B, C] where
            it knows of missing channels.
        """
        if self.rounded is None:
            logits = self.network(*inputs)
        else:
            with torch.autocast(inputs[0].device.type, dtype=self.rounded):
                logits = self.network(*inputs)
            logits = logits.float()
        if self.activation == "softmax":
            return torch.softmax(logits, 1)
        return torch.sigmoid(logits)
