"""Weights made of weights, without training: means, and shifted odds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..models.tasks import TASKS
from .pretrained import PretrainedWeights

_BIAS = "head.bias"


def average(parts: Sequence[tuple[PretrainedWeights, float]]) -> dict[str, Tensor]:
    """Return the weighted mean of weights, tensor by tensor, in FP32.

    :param parts: weights of one network, and their shares, which add up to 1.
    :raises InputError: weights of another network.
    """
    first, *others = (weights for weights, _ in parts)
    for other in others:
        other.require_task(first.task)
        other.require_network(first.network)
    return {
        name: torch.stack([weights.tensors[name].double() * share for weights, share in parts])
        .sum(0)
        .float()
        for name in first.tensors
    }


def shift_odds(weights: PretrainedWeights, region: str, factor: float) -> dict[str, Tensor]:
    """Return weights that give ``factor`` times the odds to one region.

    A network that outlines a region too tightly on images unlike those it learned from does better
    at a lower threshold. This makes that threshold a part of the weights, on every backend. The
    last layer's bias takes the shift, so that nothing else changes.

    :param factor: above 0; 1 changes nothing.
    :raises InputError: the network does not find that region.
    """
    channels = TASKS[weights.task].outputs.channels
    if region not in channels:
        raise InputError(
            f"does not find {region}", where=weights.name, remedy=f"give {', '.join(channels)}"
        )
    bias = weights.tensors[_BIAS].float().clone()
    # The head predicts eight voxels at a time, each with all the regions: see `depth_to_space`.
    bias[channels.index(region) :: len(channels)] += math.log(factor)
    return {**weights.tensors, _BIAS: bias}
