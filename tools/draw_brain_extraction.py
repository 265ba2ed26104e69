"""Draw what brain extraction finds in a synthetic head: docs/images/brain_extraction.png.

    python tools/draw_brain_extraction.py

Columns are the four sequences; rows a sagittal, a coronal and an axial slice, and the axial one in
5 mm slices seen from the side. Red is the mask that was found, dashed green the true brain.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.brain_finder import open_finder
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.synthesis.heads import HeadGenerator

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "brain_extraction.png"
SEED = 920_000_004
VOXEL = 1.0
SLICE_MM = 5.0


def main() -> None:
    """Make the head, find its brain in every sequence, draw."""
    head = HeadGenerator(VOXEL).generate(SEED)
    brain = head.mask.numpy()
    finder = open_finder(load_package("brain"))
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    middle = [int(index) for index in np.argwhere(brain).mean(axis=0)]
    views = [
        (lambda a: a[::-1, :, middle[2] + 8], 1.0),
        (lambda a: a[::-1, middle[1] + 10, :], 1.0),
        (lambda a: a[middle[0]], 1.0),
    ]
    figure, axes = plt.subplots(4, 4, figsize=(9, 10), facecolor="black")
    for modality, column in zip(Modality, axes.T, strict=True):
        image = head.images[modality.channel].numpy()
        found = finder.find(Volume(image, affine))
        column[0].set_title(modality.label, color="white", fontsize=11)
        for axis, (cut, aspect) in zip(column, views, strict=False):
            draw(axis, cut(image), cut(found), cut(brain), aspect)
        thick = in_slices(Volume(image, affine))
        truth = in_slices(Volume(brain.astype(np.float32), affine)).array >= 0.5
        cut = lambda a: a[::-1, :, middle[2] + 8]  # noqa: E731
        draw(column[3], cut(thick.array), cut(finder.find(thick)), cut(truth), SLICE_MM / VOXEL)
    figure.tight_layout(pad=0.4)
    figure.savefig(OUTPUT, dpi=80, facecolor="black")


def in_slices(volume: Volume) -> Volume:
    """Average along z to slices of `SLICE_MM`."""
    factor = round(SLICE_MM / VOXEL)
    image = sitk.BinShrink(to_image(volume.array, volume.grid), [1, 1, factor])
    affine = np.diag([*image.GetSpacing(), 1.0])
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine)


def draw(
    axis: plt.Axes, image: np.ndarray, found: np.ndarray, brain: np.ndarray, aspect: float
) -> None:
    """One slice with both outlines."""
    axis.imshow(image, cmap="gray", vmin=0, vmax=np.percentile(image, 99.5), aspect=aspect)
    axis.contour(brain, [0.5], colors="lime", linewidths=0.7, linestyles="dashed")
    axis.contour(found, [0.5], colors="red", linewidths=0.8)
    axis.axis("off")


if __name__ == "__main__":
    main()
