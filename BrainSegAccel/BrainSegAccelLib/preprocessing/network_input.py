"""From a study to what the network sees, and the record of how it got there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..modality import Modality
from ..study import Study
from ..volume import Array, Grid
from .foreground import reference_foreground
from .normalisation import normalise
from .record import PreprocessingRecord
from .resampling import resample


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What the network sees.

    :param x: float32 (1, 4, D, H, W), normalised, zero in missing channels; D, H, W run along
        S, P, L at 1 mm and are at least the engine's static shape.
    :param availability: float32 (1, 4), 1 where the modality is there.
    :param grid: where ``x[0, c]`` lies in patient space.
    :param record: what was done, for the manifest.
    """

    x: Array
    availability: Array
    grid: Grid
    record: PreprocessingRecord


def prepare(study: Study, static_shape: tuple[int, int, int]) -> NetworkInput:
    """Crop to the head, bring all modalities onto one 1 mm grid, pad and normalise.

    :param static_shape: (D, H, W) of the engine; a smaller head is centred and padded with
        zeros to it, a larger one keeps its size along the axes where it is larger.
    """
    reference = study[study.reference]
    foreground, tight = reference_foreground(reference)
    grid = _centred(tight, static_shape)
    values: dict[Modality, Array] = {}
    interpolated: dict[Modality, bool] = {}
    for modality, volume in study.items():
        values[modality], interpolated[modality] = resample(volume.array, volume.grid, grid)
    mask, _ = resample(foreground.mask.astype(np.float32), reference.grid, grid)
    inside = mask >= 0.5
    x = np.zeros((1, len(Modality), *grid.shape), dtype=np.float32)
    availability = np.zeros((1, len(Modality)), dtype=np.float32)
    for modality, array in values.items():
        x[0, modality.channel] = normalise(array, inside)
        availability[0, modality.channel] = 1.0
    record = PreprocessingRecord(
        reference=study.reference,
        resampled=interpolated,
        foreground=foreground.method,
        foreground_ml=float(np.count_nonzero(inside)) * grid.voxel_volume_mm3 / 1000.0,
        model_grid=grid,
    )
    return NetworkInput(x, availability, grid, record)


def _centred(tight: Grid, static_shape: tuple[int, int, int]) -> Grid:
    """Grow a grid evenly on both sides, in whole voxels, to at least the static shape."""
    shape = tuple(max(n, s) for n, s in zip(tight.shape, static_shape, strict=True))
    before = np.array([(s - n) // 2 for n, s in zip(tight.shape, shape, strict=True)])
    affine = tight.affine.copy()
    affine[:3, 3] = tight.to_patient(-before[::-1].astype(np.float64))
    return Grid(shape, affine)  # type: ignore[arg-type]
