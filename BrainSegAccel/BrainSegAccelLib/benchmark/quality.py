"""Dice and HD95 of tumour regions, by the conventions of the BraTS challenge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..regions import Region

Labels = NDArray[np.integer]
Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]

HD95_ONE_EMPTY_MM = math.hypot(240, 240, 155)
"""HD95 where only one of the two masks is empty: 373.13 mm, the diagonal of BraTS' 240x240x155
volume of 1 mm. nnU-Net scores BraTS with the same value (``compute_BraTS_HD95`` in
https://github.com/MIC-DKFZ/nnUNet, nnunet/dataset_conversion/Task082_BraTS_2020.py)."""


@dataclass(frozen=True)
class Scores:
    """Agreement of one region.

    :param dice: 0 to 1.
    :param hd95_mm: 95th percentile Hausdorff distance in mm.
    """

    dice: float
    hd95_mm: float


def region_mask(labels: Labels, region: Region) -> Mask:
    """Return where a label map shows a region; label 4 is enhancing tumour (BraTS ≤ 2021)."""
    return np.isin(labels, list(region.labels))


def score(prediction: Labels, reference: Labels, spacing: Spacing) -> Mapping[Region, Scores]:
    """Return Dice and HD95 of every region.

    :param prediction: labels 0 to 4, (k, j, i).
    :param reference: labels of the same shape on the same grid.
    :param spacing: voxel size along (i, j, k) in mm, as `Grid.spacing`.
    :raises ValueError: if the shapes differ.
    """
    _check_shapes(prediction, reference)
    box = _bounding_box((prediction > 0) | (reference > 0))
    prediction, reference = prediction[box], reference[box]
    scores = {}
    for region in Region:
        one, other = region_mask(prediction, region), region_mask(reference, region)
        scores[region] = Scores(dice(one, other), hd95(one, other, spacing))
    return scores


def dice(one: Mask, other: Mask) -> float:
    """Return 2|A∩B| / (|A|+|B|); 1 if both masks are empty, 0 if one is."""
    _check_shapes(one, other)
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / total if total else 1.0


def hd95(one: Mask, other: Mask, spacing: Spacing) -> float:
    """Return the 95th percentile Hausdorff distance in mm between the surfaces of two masks.

    The surface of a mask is those of its voxels that have a background voxel, or the volume's
    border, among their six face neighbours. Distances run between voxel centres, from every
    surface voxel of one mask to the nearest of the other. HD95 is the larger of the two directed
    95th percentiles (linear interpolation), as in MONAI's ``compute_hausdorff_distance``; medpy's
    ``hd95`` instead takes one percentile of both sets of distances pooled. Voxels count alike
    whatever surface they stand for, as BraTS data are isotropic.

    :param one: (k, j, i).
    :param other: (k, j, i), same shape and grid.
    :param spacing: voxel size along (i, j, k) in mm.
    :returns: 0 if both masks are empty, `HD95_ONE_EMPTY_MM` if one is.
    :raises ValueError: if the shapes differ.
    """
    _check_shapes(one, other)
    present = bool(one.any()), bool(other.any())
    if not all(present):
        return HD95_ONE_EMPTY_MM if any(present) else 0.0
    box = _bounding_box(one | other)
    first, second = (_surface(np.pad(mask[box], 1)) for mask in (one, other))
    return max(
        float(np.percentile(_distance_to(target, spacing)[source], 95))
        for source, target in ((first, second), (second, first))
    )


def _surface(mask: Mask) -> Mask:
    """Return the voxels of a mask that an erosion with the six face neighbours removes.

    :param mask: empty on the volume's border, so that rolling it brings in background.
    """
    inner = mask.copy()
    for axis in range(mask.ndim):
        inner &= np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
    return mask & ~inner


def _distance_to(surface: Mask, spacing: Spacing) -> NDArray[np.float32]:
    """Return the distance in mm of every voxel to the nearest voxel of a surface.

    Exact Euclidean distance by Maurer, Qi and Raghavan 2003. The filter measures from the object's
    outermost voxels, which a one-voxel surface consists of.
    """
    image = sitk.GetImageFromArray(surface.astype(np.uint8))
    image.SetSpacing(spacing)
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return np.abs(sitk.GetArrayViewFromImage(distance))


def _bounding_box(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest box that holds a mask; an empty box if the mask is empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        found = np.flatnonzero(mask.any(axis=others))
        box.append(slice(found[0], found[-1] + 1) if found.size else slice(0, 0))
    return tuple(box)


def _check_shapes(one: NDArray, other: NDArray) -> None:
    if one.shape != other.shape:
        raise ValueError(f"shapes differ: {one.shape} and {other.shape}")
