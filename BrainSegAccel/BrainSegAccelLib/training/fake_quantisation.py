"""Quantisation-aware training: convolutions that round as those of the INT8 export do.

Weights and inputs of a convolution are rounded to the values that INT8 can hold but stay floating
point, and gradients pass through the rounding as if it were not there: the simulated quantisation
of Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic
inference", arXiv 1712.05877, section 3. The scheme is that of `models.quantise`, which leaves the
same layers alone, and its figures are those of NNCF 3.4. What is trained are the weights before
they are rounded, so that they load as those of any network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

_FULL_RANGE, _HALF_RANGE = 127.0, 63.5
"""Steps of a weight's scale up to the largest weight of its output channel."""
_LARGEST_SIGNED, _LARGEST_UNSIGNED = 127, 255
_SLOWEST = 0.01
"""Least share of a new sample in the ranges: they follow the weights, over about 100 samples."""
_SMALLEST_SCALE = torch.finfo(torch.float32).eps


class QuantisedConvolution(nn.Module):
    """A 3D convolution that rounds its weights and its input; parameters are those of the given.

    Weights are INT8 by output channel, symmetric. Inputs are INT8 by tensor, symmetric, without a
    sign where they are never negative; their range is the mean over samples, followed in training.

    :param steps: of a channel's scale up to its largest weight.
    """

    bias: nn.Parameter | None
    lowest: Tensor
    largest: Tensor
    seen: Tensor

    def __init__(self, convolution: nn.Conv3d, steps: float) -> None:
        super().__init__()
        self.weight = convolution.weight
        self.bias = None if convolution.bias is None else convolution.get_parameter("bias")
        self.stride, self.padding = convolution.stride, convolution.padding
        self.steps = steps
        self.rounds = True
        for name in ("lowest", "largest", "seen"):
            self.register_buffer(name, torch.zeros((), device=self.weight.device))

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, D, H, W] as the convolution takes it, to what that returns, but for rounding."""
        if self.training:
            self._observe(features.detach())
        weight = self.weight
        if self.rounds:
            features, weight = self._rounded_input(features), self._rounded_weight()
        return functional.conv3d(features, weight, self.bias, self.stride, self.padding)

    def _observe(self, features: Tensor) -> None:
        low, high = (each.float() for each in features.flatten(1).aminmax(dim=1))
        largest = torch.maximum(high, -low).mean()
        # One sample that overflows must not spoil the range for good.
        if torch.isfinite(largest):
            self.seen += 1
            share = (1 / self.seen).clamp_min(_SLOWEST)
            self.lowest.lerp_(low.mean(), share)
            self.largest.lerp_(largest, share)

    def _rounded_input(self, features: Tensor) -> Tensor:
        signed = bool(self.lowest < 0)
        most = _LARGEST_SIGNED if signed else _LARGEST_UNSIGNED
        scale = self.largest / most
        return torch.fake_quantize_per_tensor_affine(
            features.float(),
            scale.clamp_min(_SMALLEST_SCALE),
            torch.zeros_like(scale, dtype=torch.int32),
            -most - 1 if signed else 0,
            most,
        )

    def _rounded_weight(self) -> Tensor:
        largest = self.weight.detach().abs().flatten(1).amax(dim=1)
        scale = (largest / self.steps).clamp_min(_SMALLEST_SCALE)
        return torch.fake_quantize_per_channel_affine(
            self.weight,
            scale,
            torch.zeros_like(scale, dtype=torch.int32),
            0,
            -_LARGEST_SIGNED,
            _LARGEST_SIGNED,
        )


def quantise(network: nn.Module) -> None:
    """Put a :class:`QuantisedConvolution` in the place of every convolution but the stem.

    Parameters, their names and their order stay; ranges come with :func:`calibrate`.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv3d) and name != "stem":
            steps = _HALF_RANGE if _is_first(name) else _FULL_RANGE
            place, _, last = name.rpartition(".")
            setattr(network.get_submodule(place), last, QuantisedConvolution(module, steps))


def calibrate(network: nn.Module, run_samples: Callable[[], None]) -> None:
    """Find the ranges of all inputs while nothing is rounded, as the export does.

    :param network: in training mode, with quantised convolutions.
    :param run_samples: passes samples through it.
    """
    layers = list(_quantised(network))
    for layer in layers:
        layer.rounds = False
    with torch.no_grad():
        run_samples()
    for layer in layers:
        layer.rounds = True


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the ``state_dict`` of a network without the ranges of quantised convolutions."""
    ranges = {
        f"{name}.{buffer}"
        for name, module in network.named_modules()
        if isinstance(module, QuantisedConvolution)
        for buffer, _ in module.named_buffers()
    }
    return {name: value for name, value in network.state_dict().items() if name not in ranges}


def _quantised(network: nn.Module) -> Iterator[QuantisedConvolution]:
    return (each for each in network.modules() if isinstance(each, QuantisedConvolution))


def _is_first(name: str) -> bool:
    """Whether an input of the network reaches a convolution past no other quantised one.

    NNCF gives those weights half the range, since the sums of x86 processors without VNNI could
    overflow. The ways are the residual stream at 2 mm, and the availability at 16 mm.
    """
    stages = name.split(".")
    return name in ("down.0.conv", "up.0.expand", "up.2.refine.first", "head") or (
        stages[:2] == ["encoder", "0"] and stages[-1] == "first"
    )
