"""Two contrasts of one lopsided head, small and quick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.geometry.resampling import resample
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.preprocessing.registration.rigid import Matrix
from scipy.spatial.transform import Rotation

CENTRE = np.array([4.0, -6.0, 9.0])


def grid_around(size_mm: float, spacing: tuple[float, float, float]) -> Grid:
    """A grid with its middle at `CENTRE`, axes along L, P, S."""
    i, j, k = (int(size_mm / s) for s in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = CENTRE - (np.array([i, j, k]) - 1) / 2 * spacing
    return Grid((k, j, i), affine)


def head(contrast: int, air: float = 0.0) -> Volume:
    """An ellipsoid of 130 x 160 x 120 mm with blobs, 2 mm voxels.

    :param contrast: which of two that are no function of one another.
    :param air: noise outside, above zero; 0 for a masked image.
    """
    grid = grid_around(200.0, (2.0, 2.0, 2.0))
    rng = np.random.default_rng(0)
    blobs = [_smooth(rng.normal(size=grid.shape), sigma) for sigma in (6.0, 12.0)]
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    points = grid.to_patient(np.stack([i, j, k], axis=-1).astype(float)) - CENTRE
    inside = ((points / (65.0, 80.0, 60.0)) ** 2).sum(axis=-1) < 1.0 + 0.2 * blobs[1]
    if contrast == 0:
        tissue = 300.0 + 60.0 * (blobs[0] > 0.4) + 40.0 * blobs[1]
    else:
        tissue = 500.0 - 120.0 * (blobs[0] > 0.4) + 100.0 * (blobs[0] < -0.9)
    noise = np.random.default_rng(contrast + 1).normal(size=grid.shape)
    values = np.where(inside, tissue + 8.0 * noise, air * np.abs(noise))
    return Volume(values.astype(np.float32), grid.affine)


def _smooth(array: np.ndarray, sigma_mm: float) -> np.ndarray:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 2.0))
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma_mm))
    return smooth / smooth.std()


def motion(turns_deg: tuple[float, ...], shift_mm: tuple[float, ...]) -> Matrix:
    """Turn about `CENTRE`, then shift; LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turns_deg, degrees=True).as_matrix()
    matrix[:3, 3] = CENTRE + shift_mm - matrix[:3, :3] @ CENTRE
    return matrix


def scanned(
    volume: Volume, moved: Matrix, spacing: tuple[float, float, float] = (2.0, 2.0, 2.0)
) -> Volume:
    """The head in another position, sampled on axis-aligned voxels of its own."""
    grid = Grid(volume.grid.shape, moved @ volume.affine)
    target = grid_around(220.0, spacing)
    values, _ = resample(volume.array, grid, target)
    return Volume(values, target.affine)


@pytest.fixture(scope="session")
def contrasts() -> tuple[Volume, Volume]:
    """Two masked contrasts of one head in one place."""
    return head(0), head(1)


@pytest.fixture(scope="session")
def error_mm() -> Callable[[Matrix, Matrix], float]:
    """Return ``error(found, true)``, the mean distance in mm over points of the head."""
    directions = np.random.default_rng(5).normal(size=(200, 3))
    points = CENTRE + 50.0 * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def error(found: Matrix, true: Matrix) -> float:
        apart = points @ (found - true)[:3, :3].T + (found - true)[:3, 3]
        return float(np.linalg.norm(apart, axis=1).mean())

    return error
