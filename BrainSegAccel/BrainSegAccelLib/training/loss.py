"""The training objective: overlap and cross-entropy, at full and at coarser scales."""

from __future__ import annotations

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from ..models.hybrid import HybridNetwork, depth_to_space
from ..models.networks import TrainableNetwork

_SMOOTHING_MM3 = 100.0
"""Keeps the overlap term of an empty or tiny region finite, with a useful gradient."""


class SupervisedNetwork(nn.Module):
    """A network with what only training knows: of a hybrid, auxiliary heads at two coarse scales.

    :param network: a hybrid, or a network of one input.
    """

    def __init__(self, network: TrainableNetwork) -> None:
        super().__init__()
        self.network = network
        self.auxiliary = nn.ModuleList()
        if isinstance(network, HybridNetwork):
            _, at4, at8, _ = network.config.widths
            self.auxiliary.extend(nn.Conv3d(width, network.outputs, 1) for width in (at8, at4))
            for head in self.auxiliary:
                nn.init.constant_(head.get_parameter("bias"), network.config.head_bias)

    def forward(self, x: Tensor, availability: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, R, ...] at full scale; of a hybrid also at 8 and 4 times the voxel."""
        network = self.network
        if not isinstance(network, HybridNetwork):
            return (network(x),)
        at8, at4, at2 = network.features(x, availability)
        logits = depth_to_space(network.head(at2))
        return logits, self.auxiliary[0](at8), self.auxiliary[1](at4)


class RegionLoss(nn.Module):
    """Soft Dice of each case plus weighted binary cross-entropy, for nested regions.

    Were Dice taken over the batch, a small focus, and tumour found where there is none, would weigh
    little beside another case's large tumour. Of a region that is empty the Dice loss is
    ``v / (s + v)``, v the volume found and s the smoothing: it levels off, and much that is wrongly
    found would hardly be unlearned. There ``log(1 + v / s)`` stands for it, which begins as steep.

    A teacher's probabilities t join the truth y in the cross-entropy H at full scale,
    ``(1 - share) * H(y, p) + share * H(t, p)``: the distillation of Hinton, Vinyals and Dean 2015,
    "Distilling the knowledge in a neural network", arXiv 1503.02531, at temperature 1 and for
    independent binary outputs. H is linear in its target, so it is taken once, of
    ``(1 - share) * y + share * t``. Dice is no sound measure of soft targets and sees the truth.
    Of a region that is empty t does not count: a teacher's false tumour is not to be learned.

    :param voxel: edge in mm at full scale.
    """

    def __init__(
        self,
        cross_entropy_weight: float,
        deep_supervision: tuple[float, float],
        teacher_share: float = 0.0,
        voxel: float = 1.0,
    ) -> None:
        super().__init__()
        self.cross_entropy_weight = cross_entropy_weight
        self.deep_supervision = deep_supervision
        self.teacher_share = teacher_share
        self.voxel = voxel

    def forward(
        self,
        outputs: tuple[Tensor, ...],
        regions: Tensor,
        taught: Tensor | None = None,
    ) -> Tensor:
        """A scalar.

        :param outputs: logits as of :class:`SupervisedNetwork`.
        :param regions: [B, R, D, H, W] in 0 to 1.
        :param taught: probabilities of a teacher, shaped as ``regions``.
        """
        logits, *coarse = outputs
        regions = regions.to(logits.device).float()
        targets = regions
        if taught is not None:
            shown = regions.amax((2, 3, 4), keepdim=True) > 0
            targets = regions.lerp(taught * shown, self.teacher_share)
        loss = self._at_scale(logits.float(), regions, targets, 1)
        if not coarse:
            return loss
        at8, at4 = coarse
        weight8, weight4 = self.deep_supervision
        regions = functional.avg_pool3d(regions, 4)
        loss = loss + weight4 * self._at_scale(at4.float(), regions, regions, 4)
        regions = functional.avg_pool3d(regions, 2)
        return loss + weight8 * self._at_scale(at8.float(), regions, regions, 8)

    def _at_scale(self, logits: Tensor, regions: Tensor, targets: Tensor, factor: int) -> Tensor:
        smoothing = _SMOOTHING_MM3 / (factor * self.voxel) ** 3
        dice = DiceLoss(sigmoid=True, reduction="none", smooth_nr=smoothing, smooth_dr=smoothing)(
            logits, regions
        ).flatten(1)
        found = torch.log1p(logits.sigmoid().sum((2, 3, 4)) / smoothing)
        overlap = torch.where(regions.amax((2, 3, 4)) > 0, dice, found).mean()
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, targets)
        return overlap + self.cross_entropy_weight * cross_entropy
