"""How a prediction agrees with a reference, as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from ..evaluation.report import RegionScores
from ..study.label_scheme import LabelScheme


def scores_table(regions: Mapping[str, RegionScores], scheme: LabelScheme) -> Table:
    """Return a row for each region, by its identifier and name."""
    table = Table("Region")
    for heading in ("Dice", "HD95 (mm)", "Prediction (ml)", "Reference (ml)"):
        table.add_column(heading, justify="right")
    for identifier, scores in regions.items():
        table.add_row(
            f"{identifier} {scheme.region(identifier).name}",
            f"{scores.dice:.4f}",
            f"{scores.hd95_mm:.2f}",
            f"{scores.predicted_ml:.1f}",
            f"{scores.reference_ml:.1f}",
        )
    return table
