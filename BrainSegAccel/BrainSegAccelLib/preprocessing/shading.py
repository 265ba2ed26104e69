"""Broad shading, as receive coils leave it over a head, taken out in milliseconds.

N4 (`bias.correct_bias`) follows finer fields, takes seconds, and takes a large tumour for a part of
the field. This fit is too stiff for that, and leaves aside what lies where lesions do.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.volume import Array
from ..study.modality import Modality

Spacing = tuple[float, float, float]
"""Of voxels along z, y, x, in mm."""
SPACING_MM = 6.0
"""Distance of the voxels that are fitted. The field is smooth: closer ones take longer and hardly
change it."""
_LIMIT = 3.0
"""Residual, in robust standard deviations, from which a voxel has no say in the fit."""
_LIMIT_ABOVE = {Modality.T2: 1.5, Modality.FLAIR: 1.5}
"""The same for brighter voxels, where lesions are bright, often large, and must not be fitted."""
_DEGREE = {Modality.T2: 1}
"""Degree of the polynomial where it is not two: on T2 fluid and lesions, both bright, are too much
of a brain, and a field of second degree follows them. A slope does not."""
_TISSUE = (0.55, 1.35)
"""What is within these factors of the median is brain tissue at first."""
_ROUNDS = 12
_RIDGE = 1e-3
_FEWEST = 150
"""Voxels below which nothing is fitted: not a head."""


@dataclass(frozen=True, eq=False)
class Shading:
    """A field of factors, the exponential of a polynomial of at most second degree.

    :param coefficients: (3, 3, 3) of Legendre polynomials along z, y and x.
    :param box: first and last voxel (z, y, x) of what was fitted; positions run from -1 to 1
        between them, and do not go beyond 1.1, so that nothing is extrapolated far.
    """

    coefficients: NDArray[np.float64]
    box: tuple[tuple[float, float], ...]

    def logarithm(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return (D, 3) and (3, H * W), whose product is the field's logarithm on ``shape``."""
        z, y, x = (
            _legendre(np.arange(size), first, last)
            for size, (first, last) in zip(shape, self.box, strict=True)
        )
        plane = np.einsum("abc,yb,xc->ayx", self.coefficients, y, x)
        return z.astype(np.float32), plane.reshape(3, -1).astype(np.float32)


def sampling_steps(spacing_mm: Spacing) -> tuple[int, int, int]:
    """Return every how many voxels along each axis one is fitted."""
    z, y, x = (max(1, round(SPACING_MM / edge)) for edge in spacing_mm)
    return z, y, x


def find_shading(
    samples: Array, mask: NDArray[np.bool_], steps: tuple[int, int, int], modality: Modality
) -> Shading | None:
    """Fit the logarithm of brain tissue by weighted least squares, Tukey's biweight.

    :param samples: every so many voxels of an image along each axis as ``steps`` says, in any unit.
    :param mask: the brain, the same voxels.
    :returns: None where there is too little to fit.
    """
    fitted = mask & (samples > 0.0)
    if np.count_nonzero(fitted) < _FEWEST:
        return None
    places = np.nonzero(fitted)
    box = tuple((float(p.min()), float(p.max())) for p in places)
    if any(first == last for first, last in box):
        return None
    z, y, x = (_legendre(p, *ends) for p, ends in zip(places, box, strict=True))
    degrees = _degrees(_DEGREE.get(modality, 2))
    terms = np.stack([z[:, a] * y[:, b] * x[:, c] for a, b, c in degrees], axis=1)
    values = samples[fitted].astype(np.float64)
    low, high = (factor * np.median(values) for factor in _TISSUE)
    weights = ((values > low) & (values < high)).astype(np.float64)
    values = np.log(values)
    # Not on the constant term, which is the brightness itself.
    ridge = np.diag([0.0] + [_RIDGE * len(values)] * (len(degrees) - 1))
    fit: NDArray[np.floating] = np.zeros(len(degrees))
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, None]
        normal = weighted.T @ terms + ridge
        fit = np.linalg.lstsq(normal, weighted.T @ values, rcond=None)[0]
        residual = values - terms @ fit
        spread = 1.4826 * np.median(np.abs(residual[weights > 0])) + 1e-6
        limit = spread * np.where(residual > 0, _LIMIT_ABOVE.get(modality, _LIMIT), _LIMIT)
        weights = np.clip(1 - (residual / limit) ** 2, 0.0, None) ** 2
    coefficients = np.zeros((3, 3, 3))
    for term, value in zip(degrees, fit, strict=True):
        coefficients[term] = value
    coefficients[0, 0, 0] -= (terms @ fit).mean()
    ends = ((first * step, last * step) for (first, last), step in zip(box, steps, strict=True))
    return Shading(coefficients, tuple(ends))


def remove_shading(
    array: Array, mask: NDArray[np.bool_], spacing_mm: Spacing, modality: Modality
) -> Array:
    """Divide an image by its broad shading; of T2's, by the slope alone.

    :param array: float32 (k, j, i), any unit; NaN where there is no value.
    :param mask: bool, same shape: the brain.
    :param spacing_mm: of the voxels along k, j, i.
    :returns: the image over the field, the geometric mean of which is 1 over the brain.
    """
    steps = sampling_steps(spacing_mm)
    every = tuple(slice(None, None, step) for step in steps)
    shading = find_shading(array[every], mask[every], steps, modality)
    if shading is None:
        return array
    along, plane = shading.logarithm(array.shape)
    field = (along @ plane).reshape(array.shape)
    np.exp(field, out=field)
    return np.divide(array, field, out=field)


def _degrees(most: int) -> list[tuple[int, int, int]]:
    """Degrees along z, y and x of the terms of a polynomial of degree ``most``."""
    return [(a, b, c) for a, b, c in itertools.product(range(3), repeat=3) if a + b + c <= most]


def _legendre(places: NDArray[np.int_], first: float, last: float) -> NDArray[np.float64]:
    """Legendre polynomials of degree 0, 1 and 2, shape (n, 3), at positions between two ends."""
    t = np.clip(2 * (places - first) / (last - first) - 1, -1.1, 1.1)
    return np.stack([np.ones_like(t), t, (3 * t * t - 1) / 2], axis=1)
