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

from ..geometry.resampling import resample, to_image
from ..geometry.volume import Array, Grid, Volume
from ..models.brain_card import BrainPackage, load_brain_package
from ..preprocessing.foreground import bounding_box_mm, find_foreground
from ..preprocessing.normalisers.unit_range import unit_range
from ..system.host import usable_cores

LEAST_PROBABILITY = 0.5
"""Of a brain voxel: of 0.3, 0.4 and 0.5 the best for 48 synthetic images, mean and worst."""
ABOVE_HEAD_MM = 15.0
"""Room between the top of the head and the top of the block that the network sees."""
VAULT_MM = 130.0
"""How far below the top the head is as wide as the brain makes it, without nose and shoulders."""


class BrainFinder:
    """Holds the brain network, open under ONNX Runtime, and runs it on volumes.

    :raises ModelError: its files cannot be trusted.
    """

    def __init__(self, package: BrainPackage) -> None:
        import onnxruntime

        self.card = package.card
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            package.onnx(), options, providers=["CPUExecutionProvider"]
        )

    def find(self, volume: Volume) -> NDArray[np.bool_]:
        """Return the brain as bool (k, j, i) on the grid of ``volume``; empty if there is none."""
        small = _shrunk(volume, self.card.voxel)
        block = _block_around_head(small, self.card.shape, self.card.voxel)
        values, _ = resample(small.array - small.array.min(), small.grid, block)
        probability = self._session.run(None, {"x": unit_range(values)[None, None]})[0][0, 0]
        fine, _ = resample(_one_piece(probability), block, volume.grid)
        return fine >= LEAST_PROBABILITY


def find_brain(volume: Volume) -> NDArray[np.bool_]:
    """Run the network that ships with the library, opened when it is first needed.

    :returns: as `BrainFinder.find`.
    :raises ModelError: its files cannot be trusted.
    """
    return _shipped_finder().find(volume)


@lru_cache(maxsize=1)
def _shipped_finder() -> BrainFinder:
    return BrainFinder(load_brain_package())


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


def _block_around_head(volume: Volume, shape: tuple[int, int, int], voxel: float) -> Grid:
    """Place the network's block: its top just above the head, centred on the vault."""
    head = find_foreground(volume.array).mask
    _, high = bounding_box_mm(head, volume.grid)
    inside = volume.grid.to_patient(np.argwhere(head)[:, ::-1].astype(np.float64))
    vault = inside[inside[:, 2] > high[2] - VAULT_MM]
    middle = (vault.min(axis=0) + vault.max(axis=0)) / 2
    size = np.array(shape[::-1])
    first = middle - (size - 1) / 2 * voxel
    first[2] = high[2] + ABOVE_HEAD_MM - (size[2] - 1) * voxel
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = first
    return Grid(shape, affine)


def _one_piece(probability: Array) -> Array:
    """Drop what is not connected to the largest part and close its holes."""
    above = sitk.GetImageFromArray((probability >= LEAST_PROBABILITY).astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(above), sortByObjectSize=True)
    largest = parts == 1
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(largest)) == 1
    strays = (sitk.GetArrayFromImage(above) == 1) & (sitk.GetArrayFromImage(largest) == 0)
    whole = np.where(filled, np.maximum(probability, LEAST_PROBABILITY), probability)
    return np.where(strays, 0, whole)
