"""The brain network: a small U-Net that says which voxels of a head are brain."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .brain_card import BrainNetworkConfig
from .hybrid import Down, ResidualBlock, Up, depth_to_space

_SUBVOXELS = 8


class BrainNetwork(nn.Module):
    """Brain or not, from one image of any contrast.

    As in the segmentation network, the first convolution halves the resolution and the last one
    predicts the eight voxels of each cell, so nothing between them runs at full resolution.
    """

    def __init__(self, config: BrainNetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stem = nn.Conv3d(1, widths[0], 2, stride=2, bias=False)
        self.stem_norm = nn.InstanceNorm3d(widths[0], affine=True)
        self.encoder = nn.ModuleList(ResidualBlock(width) for width in widths)
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(Down(width, wider) for width, wider in steps)
        self.up = nn.ModuleList(Up(wider, width) for width, wider in reversed(steps))
        self.head = nn.Conv3d(widths[0], _SUBVOXELS, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the brain.

        :param x: [B, 1, D, H, W] in about 0 to 1, axes z, y, x in LPS order; sizes are multiples
            of 16.
        :returns: [B, 1, D, H, W].
        """
        features = functional.relu(self.stem_norm(self.stem(x)))
        scales = [self.encoder[0](features)]
        for down, refine in zip(self.down, list(self.encoder)[1:], strict=True):
            scales.append(refine(down(scales[-1])))
        features = scales.pop()
        for up in self.up:
            features = up(features, scales.pop())
        return depth_to_space(self.head(features))


class BrainProbability(nn.Module):
    """The network as it is deployed: :class:`BrainNetwork` followed by a sigmoid."""

    def __init__(self, network: BrainNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """As :meth:`BrainNetwork.forward`, but probabilities."""
        return torch.sigmoid(self.network(x))
