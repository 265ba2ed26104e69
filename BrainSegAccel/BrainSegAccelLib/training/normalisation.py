"""Shading and normalisation on tensors, on any device: the formulas of `preprocessing`.

Training samples are varied before they are normalised, many times a case, on a GPU too. What fits
the shading is the same function; tests hold the rest to the steps of `preprocessing`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.description import UnitRange, ZScore
from ..preprocessing.shading import find_shading, sampling_steps
from ..study.modality import Modality

_Z_SCORE, _UNIT_RANGE = ZScore(), UnitRange()


def remove_shading(image: Tensor, mask: Tensor, voxel: float, modality: Modality) -> Tensor:
    """Divide ``image`` [D, H, W] by its broad shading over ``mask`` [D, H, W] bool.

    :param voxel: edge in mm.
    """
    steps = sampling_steps((voxel, voxel, voxel))
    every = tuple(slice(None, None, step) for step in steps)
    samples, brain = (t[every].cpu().numpy() for t in (image, mask))
    shading = find_shading(samples, brain, steps, modality)
    if shading is None:
        return image
    along, plane = (torch.from_numpy(part).to(image) for part in shading.logarithm(image.shape))
    return image / torch.exp(along @ plane).reshape(image.shape)


def normalise(image: Tensor, mask: Tensor) -> Tensor:
    """Clip to percentiles and z-score ``image`` [D, H, W] over ``mask`` [D, H, W] bool.

    ``v = clip(x, low, high); (v - mean(v)) / (std(v) + 1e-6)`` inside the mask, with percentiles
    (linear interpolation), mean and population standard deviation over the mask; 0 outside it.
    """
    values = image[mask]
    if values.numel() == 0:
        return torch.zeros_like(image)
    low, high = (percentile(values, share / 100) for share in _Z_SCORE.percentiles)
    values = values.clamp(low, high)
    normalised = torch.zeros_like(image)
    normalised[mask] = (values - values.mean()) / (values.std(correction=0) + 1e-6)
    return normalised


def scale_to_unit(image: Tensor) -> Tensor:
    """Clip ``image`` [D, H, W] to its percentiles and bring these to 0 and 1."""
    low, high = (percentile(image.flatten(), share / 100) for share in _UNIT_RANGE.percentiles)
    return ((image - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def percentile(values: Tensor, fraction: float) -> Tensor:
    """The linearly interpolated quantile of a flat tensor of any length.

    ``torch.quantile`` stops at 16 million values and sorts all of them.
    """
    position = fraction * (values.numel() - 1)
    below = int(position)
    if values.is_cuda:
        # A GPU selects in one block of threads, but sorts with all of them.
        values = values.sort().values
        return torch.lerp(
            values[below], values[min(below + 1, values.numel() - 1)], position - below
        )
    left = values.kthvalue(below + 1).values
    right = values.kthvalue(min(below + 2, values.numel())).values
    return left + (right - left) * (position - below)
