"""A small U-Net: regions of one volume, or of several, at little cost."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from .config import UNetConfig
from .hybrid import Down, ResidualBlock, Up, depth_to_space

_SUBVOXELS = 8


class UNet(nn.Module):
    """Convolutions alone, for networks of few channels; the brain is found by one.

    As in the hybrid, the first convolution halves the resolution and the last one predicts the
    eight voxels of each cell, so nothing between them runs at full resolution.

    :param inputs: channels of the input.
    :param outputs: channels of the output.
    """

    def __init__(self, config: UNetConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = config.widths
        self.stem = nn.Conv3d(inputs, widths[0], 2, stride=2, bias=False)
        self.stem_norm = nn.InstanceNorm3d(widths[0], affine=True)
        self.encoder = nn.ModuleList(ResidualBlock(width) for width in widths)
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(Down(width, wider) for width, wider in steps)
        self.up = nn.ModuleList(Up(wider, width) for width, wider in reversed(steps))
        self.head = nn.Conv3d(widths[0], _SUBVOXELS * outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits.

        :param x: [B, inputs, D, H, W]; sizes are multiples of 16.
        :returns: [B, outputs, D, H, W].
        """
        features = functional.relu(self.stem_norm(self.stem(x)))
        scales = [self.encoder[0](features)]
        for down, refine in zip(self.down, list(self.encoder)[1:], strict=True):
            scales.append(refine(down(scales[-1])))
        features = scales.pop()
        for up in self.up:
            features = up(features, scales.pop())
        return depth_to_space(self.head(features))
