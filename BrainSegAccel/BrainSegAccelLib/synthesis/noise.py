"""Smooth random fields and Gaussian blurring, both as separable one-dimensional operations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .rng import Rng

# Mean over a period of the summed squares of a cubic B-spline's four weights: the variance of a
# one-dimensional spline with unit-variance coefficients.
_SPLINE_VARIANCE = 151.0 / 315.0
_FIELD_GAIN = _SPLINE_VARIANCE**-1.5


def spline_weights(size: int, spacing: float, offset: float) -> Tensor:
    """Cubic B-spline interpolation matrix [size, knots] for knots ``1 / spacing`` samples apart."""
    position = torch.arange(size) * spacing + offset
    first = position.floor().long()
    t = position - first
    weights = torch.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], dim=1
    )
    matrix = torch.zeros(size, int(first[-1]) + 4)
    return matrix.scatter_(1, first[:, None] + torch.arange(4), weights / 6)


def smooth_noise(
    rng: Rng, shape: Sequence[int], voxel: float, scale: float, channels: int = 1
) -> Tensor:
    """Zero-mean, unit-variance noise [channels, D, H, W] with features of about ``scale`` mm.

    :param voxel: edge of a voxel in mm. At or below it the noise is white.
    """
    if scale <= voxel:
        return rng.white((channels, *shape))
    depth, height, width = (
        spline_weights(size, voxel / scale, rng.uniform()).to(rng.device) for size in shape
    )
    field = rng.white((channels, depth.shape[1], height.shape[1], width.shape[1])) * _FIELD_GAIN
    field = height @ (field @ width.T)
    field = depth @ field.flatten(2)
    return field.reshape(channels, *shape)


def blur_matrix(size: int, deviation: float) -> Tensor:
    """Gaussian blur along one axis as a matrix [size, size]; the border value is repeated."""
    reach = max(1, math.ceil(2.5 * deviation))
    offsets = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(offsets**2) / (2 * deviation**2))
    source = (torch.arange(size)[:, None] + offsets).clamp(0, size - 1)
    return torch.zeros(size, size).scatter_add_(1, source, (kernel / kernel.sum()).expand(size, -1))


def blur(field: Tensor, deviations: Sequence[float]) -> Tensor:
    """Gaussian blur of ``field`` [C, D, H, W] with per-axis ``deviations`` in voxels.

    Matrix products: on CPU ten times faster than a single-channel convolution.
    """
    for axis, deviation in enumerate(deviations, start=1):
        if deviation < 0.2:
            continue
        matrix = blur_matrix(field.shape[axis], deviation).to(field)
        if axis == 3:
            field = field @ matrix.T
        elif axis == 2:
            field = matrix @ field
        else:
            field = (matrix @ field.flatten(2)).reshape(field.shape)
    return field
