"""The connected parts of a tumour, and how large each is."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..geometry.bounding_box import bounding_box
from ..geometry.volume import Grid
from ..study.segmentation import Segmentation


def lesions(segmentation: Segmentation) -> tuple[Segmentation, ...]:
    """Return each connected tumour part (26 neighbours) by itself, the largest first.

    :returns: label maps on the boxes that hold the parts, which lie on the segmentation's grid.
    """
    labels = segmentation.labels
    around = bounding_box(labels > 0)
    if around is None:
        return ()
    tumour = sitk.GetImageFromArray((labels[around] > 0).astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(tumour, True))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(parts)
    numbers, inner = sitk.GetArrayFromImage(parts), labels[around]
    found = []
    for number in shapes.GetLabels():
        i, j, k, width, height, depth = shapes.GetBoundingBox(number)
        box = (slice(k, k + depth), slice(j, j + height), slice(i, i + width))
        part = np.where(numbers[box] == number, inner[box], np.uint8(0))
        start = np.array([s.start + o.start for s, o in zip(box, around, strict=True)][::-1])
        affine = segmentation.grid.affine.copy()
        affine[:3, 3] = segmentation.grid.to_patient(start.astype(float))
        found.append(Segmentation(part, Grid(part.shape, affine), segmentation.scheme))
    return tuple(found)
