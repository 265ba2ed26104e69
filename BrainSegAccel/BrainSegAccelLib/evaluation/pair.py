"""Compare two label files: Dice, HD95 and volume of every tumour region."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..io.labelled import GRID_TOLERANCE_MM
from ..io.read_labels import read_labels
from ..study.label_scheme import LabelScheme
from ..study.segmentation import Segmentation
from .report import RegionScores, scores_by_region


def compare_files(
    prediction: Path, reference: Path, scheme: LabelScheme
) -> dict[str, RegionScores]:
    """Read and compare two label files, see `read_labels` for what they may hold.

    :param scheme: what the values of both mean.
    :returns: by region, in the order of the scheme.
    :raises InputError: a file that is not a label map; files that lie on different grids.
    """
    found, expected = (read_labels(path, scheme) for path in (prediction, reference))
    _check_grids(found, expected, prediction, reference)
    return scores_by_region(found, expected)


def _check_grids(
    found: Segmentation, expected: Segmentation, prediction: Path, reference: Path
) -> None:
    if found.grid.same_as(expected.grid, GRID_TOLERANCE_MM):
        return
    ours, theirs = (s.labels.shape[::-1] for s in (found, expected))
    if ours != theirs:
        what = f"{ours} voxels against {theirs} of {reference.name}"
    else:
        apart = np.linalg.norm(found.grid.corners() - expected.grid.corners(), axis=1).max()
        what = f"lies up to {apart:.1f} mm from {reference.name}"
    raise InputError(
        f"not on the reference's grid: {what}",
        where=str(prediction),
        remedy="resample one of the two onto the other's grid with nearest neighbours",
    )
