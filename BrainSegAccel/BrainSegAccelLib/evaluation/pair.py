"""Compare two label files: Dice, HD95 and volume of every tumour region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..io.labelled import GRID_TOLERANCE_MM
from ..io.read_labels import read_labels
from ..metrics.regions import score
from ..study.label_scheme import LabelScheme
from ..study.segmentation import Segmentation

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class RegionEvaluation:
    """How one region of a prediction agrees with the reference.

    :param hd95_mm: 95th percentile Hausdorff distance; 373.13 if only one of both is empty.
    """

    dice: float
    hd95_mm: float
    prediction_ml: float
    reference_ml: float


@dataclass(frozen=True)
class Evaluation:
    """How a prediction agrees with a reference.

    :param regions: by identifier, in the order of the scheme.
    :param scheme: what both were labelled by.
    """

    regions: Mapping[str, RegionEvaluation]
    scheme: LabelScheme

    def as_document(self) -> dict[str, Any]:
        """Return the figures as JSON takes them, keyed by region."""
        return {
            region: {
                "dice": round(found.dice, 6),
                "hd95_mm": round(found.hd95_mm, 6),
                "prediction_ml": round(found.prediction_ml, 3),
                "reference_ml": round(found.reference_ml, 3),
            }
            for region, found in self.regions.items()
        }

    def as_table(self) -> Table:
        """Return the figures as a table for the terminal."""
        from rich.table import Table

        table = Table()
        table.add_column("Region")
        for heading in ("Dice", "HD95 (mm)", "Prediction (ml)", "Reference (ml)"):
            table.add_column(heading, justify="right")
        for region, found in self.regions.items():
            table.add_row(
                f"{region} {self.scheme.region(region).name}",
                f"{found.dice:.4f}",
                f"{found.hd95_mm:.2f}",
                f"{found.prediction_ml:.1f}",
                f"{found.reference_ml:.1f}",
            )
        return table


def evaluate_files(prediction: Path, reference: Path, scheme: LabelScheme) -> Evaluation:
    """Read and compare two label files, see `read_labels` for what they may hold.

    :param scheme: what the values of both mean.

    :raises InputError: a file that is not a label map; files that lie on different grids.
    """
    found, expected = (read_labels(path, scheme) for path in (prediction, reference))
    _check_grids(found, expected, prediction, reference)
    return evaluate(found, expected)


def evaluate(prediction: Segmentation, reference: Segmentation) -> Evaluation:
    """Compare two segmentations on one grid.

    :raises ValueError: if their shapes or label schemes differ.
    """
    scores = score(prediction, reference)
    return Evaluation(
        {
            region.identifier: RegionEvaluation(
                dice=scores[region.identifier].dice,
                hd95_mm=scores[region.identifier].hd95_mm,
                prediction_ml=prediction.volume_ml(region.labels),
                reference_ml=reference.volume_ml(region.labels),
            )
            for region in reference.scheme.regions
        },
        reference.scheme,
    )


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
