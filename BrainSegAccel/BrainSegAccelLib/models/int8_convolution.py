"""INT8 for Torch-TensorRT: convolutions between explicit quantisers, ranges from the INT8 export.

The quantiser is the operator of NVIDIA ModelOpt, which Torch-TensorRT converts to a quantise and a
dequantise layer of TensorRT. ModelOpt's own modules around it are not used: they would find ranges
anew, and PyTorch exports them on a GPU only.
"""

from __future__ import annotations

from collections.abc import Mapping

import modelopt.torch.quantization  # noqa: F401  # defines tensorrt::quantize_op
import torch
from torch import Tensor, nn
from torch.nn import functional

from .quantised_layers import QuantisedLayer

_BITS, _EXPONENT_BITS = 8, 0


class Int8Convolution(nn.Module):
    """A 3D convolution whose weights and input pass a quantiser.

    TensorRT's INT8 always has a sign: an input that is never negative has 127 steps here, over the
    range for which the export has 255.

    :param rest: format of what enters and leaves. Casts come before the quantisers, since TensorRT
        computes in INT8 only where nothing stands between them and the convolution.
    """

    bias: nn.Parameter | None
    weight_range: Tensor
    input_range: Tensor

    def __init__(self, convolution: nn.Conv3d, layer: QuantisedLayer, rest: torch.dtype) -> None:
        super().__init__()
        self.stride, self.padding = convolution.stride, convolution.padding
        self.weight = nn.Parameter(torch.from_numpy(layer.weight).to(rest))
        self.bias = None
        if layer.bias is not None:
            self.bias = nn.Parameter(torch.from_numpy(layer.bias).to(rest))
        by_channel = torch.from_numpy(layer.weight_range).reshape(-1, 1, 1, 1, 1)
        self.register_buffer("weight_range", by_channel)
        self.register_buffer("input_range", torch.tensor(layer.input_range))

    def forward(self, features: Tensor) -> Tensor:
        """[B, C_in, D, H, W] as the convolution takes it, to what that returns."""
        features = _quantised(features.to(self.weight.dtype), self.input_range)
        weight = _quantised(self.weight, self.weight_range)
        return functional.conv3d(features, weight, self.bias, self.stride, self.padding)


def _quantised(values: Tensor, largest: Tensor) -> Tensor:
    """Round to 127 steps on either side of zero, up to ``largest``; the format stays."""
    return torch.ops.tensorrt.quantize_op(values, largest, _BITS, _EXPONENT_BITS, False, False)


def quantise(network: nn.Module, layers: Mapping[str, QuantisedLayer], rest: torch.dtype) -> None:
    """Put an :class:`Int8Convolution` in the place of each convolution that is named.

    :param layers: see `quantised_layers`.
    :param rest: format of the convolutions that are left.
    """
    for name, layer in layers.items():
        place, _, last = name.rpartition(".")
        convolution = network.get_submodule(name)
        assert isinstance(convolution, nn.Conv3d)
        setattr(network.get_submodule(place), last, Int8Convolution(convolution, layer, rest))
