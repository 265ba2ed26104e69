"""The hybrid network: convolutions where resolution is high, SSD where tokens are few."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import HybridConfig
from .ssd import BidirectionalSSD

_SCAN_ORDERS: tuple[tuple[int, int, int], ...] = ((0, 1, 2), (2, 0, 1), (1, 2, 0))
_UPSAMPLED = 8
"""Fine voxels per coarse voxel when every axis doubles."""


def depth_to_space(features: Tensor) -> Tensor:
    """Rearrange [B, 8*C, D, H, W] into [B, C, 2D, 2H, 2W]: a transposed convolution's second half.

    The eight groups of C channels are the offsets (z, y, x) in binary order.
    """
    batch, channels, depth, height, width = features.shape
    fewer = channels // _UPSAMPLED
    # In two steps, since runtimes that hold channels last are slow to bring them first in one:
    # the offsets of x stay next to x.
    features = features.permute(0, 2, 3, 4, 1).reshape(-1, width, _UPSAMPLED, fewer)
    features = features.permute(0, 3, 2, 1).reshape(batch, depth, height, fewer, 2, 2, 2, width)
    features = features.permute(0, 3, 1, 4, 2, 5, 7, 6)
    return features.reshape(batch, fewer, 2 * depth, 2 * height, 2 * width)


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with instance normalisation around an identity skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.InstanceNorm3d(width, affine=True)
        self.second = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.InstanceNorm3d(width, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        """Refine ``features`` [B, width, D, H, W]; same shape out."""
        hidden = functional.relu(self.first_norm(self.first(features)))
        return functional.relu(features + self.second_norm(self.second(hidden)))


class Down(nn.Module):
    """Halve every axis with a stride-2 convolution."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(width, wider, 3, stride=2, padding=1, bias=False)
        self.norm = nn.InstanceNorm3d(wider, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        """[B, width, D, H, W] to [B, wider, D/2, H/2, W/2]."""
        return functional.relu(self.norm(self.conv(features)))


class Up(nn.Module):
    """Double every axis, add the encoder's features, refine."""

    def __init__(self, width: int, narrower: int) -> None:
        super().__init__()
        self.expand = nn.Conv3d(width, _UPSAMPLED * narrower, 1)
        self.refine = ResidualBlock(narrower)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """[B, width, D, H, W] and the skip [B, narrower, 2D, 2H, 2W]; shaped as the skip."""
        return self.refine(depth_to_space(self.expand(features)) + skip)


class AvailabilityGate(nn.Module):
    """Scale and shift features by which of C modalities are there (FiLM; identity at first)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Linear(inputs, width)
        self.shift = nn.Linear(inputs, width)
        for layer in (self.scale, self.shift):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor, availability: Tensor) -> Tensor:
        """``features`` [B, width, D, H, W], ``availability`` [B, C]; shaped as the features."""
        scale = self.scale(availability)[:, :, None, None, None]
        shift = self.shift(availability)[:, :, None, None, None]
        return features + features * scale + shift


class HybridNetwork(nn.Module):
    """Regions from any subset of several modalities, in one static graph.

    The first convolution takes the volume to 2 mm and the last one predicts the eight 1 mm voxels
    of each 2 mm voxel, so that nothing but input and output has the full resolution.

    :param inputs: channels of the input, one a modality.
    :param outputs: channels of the output.
    """

    def __init__(self, config: HybridConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.config, self.outputs = config, outputs
        w2, w4, w8, w16 = config.widths
        self.stem = nn.Conv3d(inputs + 1, w2, 2, stride=2, bias=False)
        self.stem_norm = nn.InstanceNorm3d(w2, affine=True)
        self.stem_gate = AvailabilityGate(inputs, w2)
        self.down = nn.ModuleList([Down(w2, w4), Down(w4, w8), Down(w8, w16)])
        self.encoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
            for width, blocks in zip(config.widths, config.encoder_blocks, strict=True)
        )
        self.ssd = nn.ModuleList(
            nn.Sequential(*(self._token_mixer(width, index) for index in range(blocks)))
            for width, blocks in zip((w8, w16), config.ssd_blocks, strict=True)
        )
        self.coarse_gate = AvailabilityGate(inputs, w16)
        self.up = nn.ModuleList([Up(w16, w8), Up(w8, w4), Up(w4, w2)])
        self.head = nn.Conv3d(w2, _UPSAMPLED * outputs, 3, padding=1)
        nn.init.constant_(self.head.get_parameter("bias"), config.head_bias)

    def _token_mixer(self, width: int, index: int) -> nn.Module:
        config = self.config
        if config.token_mixer == "convolution":
            return ResidualBlock(width)
        order = _SCAN_ORDERS[index % len(_SCAN_ORDERS)]
        return BidirectionalSSD(
            width, config.head_width, config.state_width, config.chunk_length, order
        )

    @staticmethod
    def gated_input(x: Tensor, availability: Tensor) -> Tensor:
        """Silence missing channels of ``x`` [B, C, D, H, W], append a brain mask: [B, C + 1, ...].

        The mask is 1 wherever a z-score is not practically zero. The factor keeps products within
        FP16's range for z-scores up to 60.
        """
        present = x * availability[:, :, None, None, None]
        # Channel by channel, so that a runtime can fuse it all into one pass over the volume.
        nonzero = (
            (present[:, channel : channel + 1] * 1024.0).clamp(-1.0, 1.0)
            for channel in range(present.shape[1])
        )
        squares = [value * value for value in nonzero]
        total = reduce(torch.add, squares)
        return torch.cat([present, total.clamp(0.0, 1.0)], dim=1)

    def features(self, x: Tensor, availability: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoder features at 8, 4 and 2 mm: [B, widths[s], D/r, H/r, W/r] for r = 8, 4, 2."""
        at2 = self.stem_norm(self.stem(self.gated_input(x, availability)))
        at2 = self.encoder[0](functional.relu(self.stem_gate(at2, availability)))
        at4 = self.encoder[1](self.down[0](at2))
        at8 = self.ssd[0](self.encoder[2](self.down[1](at4)))
        at16 = self.ssd[1](self.encoder[3](self.down[2](at8)))
        at16 = self.coarse_gate(at16, availability)
        at8 = self.up[0](at16, at8)
        at4 = self.up[1](at8, at4)
        return at8, at4, self.up[2](at4, at2)

    def forward(self, x: Tensor, availability: Tensor) -> Tensor:
        """Logits.

        :param x: [B, inputs, D, H, W] float; axes z, y, x in LPS order; z-scored in the brain, zero
            outside it. Sizes are multiples of 16.
        :param availability: [B, inputs], 1 where the modality is there and 0 where it is missing;
            what ``x`` holds in a missing channel has no effect as long as it is finite.
        :returns: [B, outputs, D, H, W].
        """
        return depth_to_space(self.head(self.features(x, availability)[-1]))
