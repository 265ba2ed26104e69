"""Finding the brain in a head of any contrast with the small network that ships with the library.

The idea that a network trained on synthetic images of random contrast finds the brain in any
sequence is that of SynthStrip (Hoopes et al. 2022, doi 10.1016/j.neuroimage.2022.119474); network,
training images and code are our own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..backends.cache import EngineCache
from ..backends.protocol import Device, Engine, Precision, Shape
from ..backends.registry import opened_soonest
from ..geometry.resampling import resample, to_image
from ..geometry.volume import Array, Grid, Volume
from ..models.card import ModelCard
from ..models.package import ModelPackage, brain_package
from ..preprocessing.foreground import bounding_box_mm, find_foreground
from ..preprocessing.normalisers.registry import normalise

ABOVE_HEAD_MM = 15.0
"""Room between the top of the head and the top of the block that the network sees."""
VAULT_MM = 130.0
"""How far below the top the head is as wide as the brain makes it, without nose and shoulders."""


class BrainFinder:
    """Runs a brain network on volumes.

    :param engine: of a model for the task brain.
    :param card: of that model.
    """

    def __init__(self, engine: Engine, card: ModelCard) -> None:
        self._engine, self._card = engine, card
        self._least = card.outputs.threshold(card.outputs.scheme.regions[0])

    def find(self, volume: Volume) -> NDArray[np.bool_]:
        """Return the brain as bool (k, j, i) on the grid of ``volume``; empty if there is none."""
        inputs = self._card.inputs
        # Along the axes of the block: L, P and S.
        voxel = np.array(inputs.spacing_mm[::-1])
        small = _shrunk(volume, float(voxel.min()))
        block = _block_around_head(small, self._card.inference.window, voxel)
        values, _ = resample(small.array - small.array.min(), small.grid, block)
        x = normalise(values, np.ones(values.shape, bool), inputs.normaliser)[None, None]
        probability = _one_piece(self._engine(x)[0], self._least)
        fine, _ = resample(probability, block, volume.grid)
        return fine >= self._least


def open_finder(package: ModelPackage) -> BrainFinder:
    """Open a brain network on the processor.

    :raises InputError: the model is for something else.
    :raises ModelError: its files cannot be trusted.
    """
    package.require_task("brain")
    backend = opened_soonest(Device.CPU, Precision.FP32)
    window = package.card.inference.window
    engine = backend.build(package, window, Precision.FP32, Device.CPU, EngineCache())
    return BrainFinder(engine, package.card)


def find_brain(volume: Volume) -> NDArray[np.bool_]:
    """Run the network that ships with the library, opened when it is first needed.

    :returns: as `BrainFinder.find`.
    :raises ModelError: its files cannot be trusted.
    """
    return _shipped_finder().find(volume)


@lru_cache(maxsize=1)
def _shipped_finder() -> BrainFinder:
    return open_finder(brain_package())


def _shrunk(volume: Volume, voxel: float) -> Volume:
    """Average whole numbers of voxels where they are finer than ``voxel`` mm: fast, no aliasing."""
    factors = [max(1, int(voxel / spacing)) for spacing in volume.grid.spacing]
    if max(factors) == 1:
        return volume
    image = sitk.BinShrink(to_image(volume.array, volume.grid), factors)
    affine = np.eye(4)
    affine[:3, :3] = volume.grid.direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine, volume.name)


def _block_around_head(volume: Volume, shape: Shape, voxel: NDArray[np.float64]) -> Grid:
    """Place the network's block: its top just above the head, centred on the vault.

    :param voxel: its edges along L, P and S, in mm.
    """
    head = find_foreground(volume.array).mask
    _, high = bounding_box_mm(head, volume.grid)
    inside = volume.grid.to_patient(np.argwhere(head)[:, ::-1].astype(np.float64))
    vault = inside[inside[:, 2] > high[2] - VAULT_MM]
    middle = (vault.min(axis=0) + vault.max(axis=0)) / 2
    size = np.array(shape[::-1])
    first = middle - (size - 1) / 2 * voxel
    first[2] = high[2] + ABOVE_HEAD_MM - (size[2] - 1) * voxel[2]
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = first
    return Grid(shape, affine)


def _one_piece(probability: Array, least: float) -> Array:
    """Drop what is not connected to the largest part and close its holes."""
    above = sitk.GetImageFromArray((probability >= least).astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(above), sortByObjectSize=True)
    largest = parts == 1
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(largest)) == 1
    strays = (sitk.GetArrayFromImage(above) == 1) & (sitk.GetArrayFromImage(largest) == 0)
    whole = np.where(filled, np.maximum(probability, least), probability)
    return np.where(strays, 0, whole)
