"""Brain extraction by registration of the ICBM152 atlas, with and without refinement.

The candidate that the brain network is weighed against: affine registration of the skull-stripped
T1 template by mutual information, its brain carried over, then refined by the image's own
intensities between what is surely brain and what surely is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.geometry.resampling import resample, to_image
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.inference.brain_finder import _shrunk
from BrainSegAccelLib.preprocessing.foreground import bounding_box_mm, find_foreground
from BrainSegAccelLib.synthesis.atlas import load_atlas

VOXEL = 3.0
SCALP_AND_SKULL_MM = 12.0
SURE_MM, FREE_MM = 6.0, 5.0
"""How far within the carried-over border a voxel is surely brain, and how far outside not."""


@dataclass(frozen=True)
class AtlasImages:
    """T1 and brain of the atlas at 3 mm, and the brain's bounding box in LPS mm."""

    t1: sitk.Image
    brain: sitk.Image
    low: np.ndarray
    high: np.ndarray


def load_images() -> AtlasImages:
    """Read the atlas and halve its resolution thrice over."""
    atlas = load_atlas()
    maps = atlas.maps.numpy()
    brain = (maps[:3].sum(0) > 0.5).astype(np.float32)
    t1 = (0.72 * maps[0] + maps[1] + 0.35 * maps[2] + maps[6]) * brain
    affine = np.eye(4)
    affine[:3, 3] = atlas.origin.numpy()
    images = [
        sitk.BinShrink(to_image(np.ascontiguousarray(a), Grid(a.shape, affine)), [3, 3, 3])
        for a in (t1, brain)
    ]
    middle, half = atlas.centre.numpy().astype(float), atlas.extent.numpy().astype(float) / 2
    return AtlasImages(images[0], images[1], middle - half, middle + half)


def extract(volume: Volume, atlas: AtlasImages) -> tuple[np.ndarray, np.ndarray]:
    """Return the brain (k, j, i) on the volume's grid, by registration alone and refined."""
    small = _shrunk(volume, VOXEL)
    head = to_image(small.array, small.grid)
    transform = _register(head, small, atlas)
    carried = sitk.Resample(atlas.brain, head, transform.GetInverse(), sitk.sitkLinear, 0.0)
    refined = _refine(head, carried > 0.5)
    results = [sitk.GetArrayFromImage(m).astype(np.float32) for m in (carried, refined)]
    first, second = (resample(r, small.grid, volume.grid)[0] >= 0.5 for r in results)
    return first, second


def _register(head: sitk.Image, small: Volume, atlas: AtlasImages) -> sitk.Transform:
    """Affine transform from atlas to head."""
    mask = find_foreground(small.array).mask
    _, high = bounding_box_mm(mask, small.grid)
    inside = small.grid.to_patient(np.argwhere(mask)[:, ::-1].astype(float))
    vault = inside[inside[:, 2] > high[2] - 100]
    margin = np.array([SCALP_AND_SKULL_MM] * 3)
    inner_low, inner_high = vault.min(0) + margin, vault.max(0) - margin
    start = sitk.AffineTransform(3)
    scale = (inner_high - inner_low)[:2] / (atlas.high - atlas.low)[:2]
    scales = np.clip([*scale, scale.mean()], 0.85, 1.15)
    middle = (atlas.low + atlas.high) / 2
    start.SetCenter(middle.tolist())
    start.SetMatrix(np.diag(scales).ravel().tolist())
    target = (inner_low + inner_high) / 2
    target[2] = inner_high[2] - scales[2] * (atlas.high[2] - middle[2])
    start.SetTranslation((target - middle).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(
        sitk.BinaryDilate(sitk.Cast(atlas.brain > 0.3, sitk.sitkUInt8), [2] * 3)
    )
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.02, 120, 0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([3.0, 0.0])
    method.SetInitialTransform(start, inPlace=False)
    fixed = sitk.Cast(atlas.t1, sitk.sitkFloat32)
    return method.Execute(fixed, sitk.Cast(head, sitk.sitkFloat32))


def _refine(head: sitk.Image, carried: sitk.Image) -> sitk.Image:
    """Let smoothed intensities like those of the sure brain decide near the border."""
    distance = sitk.SignedMaurerDistanceMap(
        carried, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    values = sitk.GetArrayFromImage(head)
    distances = sitk.GetArrayFromImage(distance)
    sure, free = distances < -SURE_MM, distances < FREE_MM
    if not sure.any():
        return sitk.Cast(carried, sitk.sitkUInt8)
    low, high = np.percentile(values[sure], (3, 97))
    alike = (values > low) & (values < high) & free
    image = sitk.GetImageFromArray((alike | sure).astype(np.uint8))
    image = sitk.BinaryMorphologicalOpening(image, [1, 1, 1])
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(image), sortByObjectSize=True)
    closed = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(parts == 1, [2, 2, 2]))
    closed.CopyInformation(head)
    return closed
