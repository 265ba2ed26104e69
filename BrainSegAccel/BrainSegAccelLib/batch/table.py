"""All cases of a batch in one table: what became of them, volumes, latencies."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..io.atomic import atomic_write
from .task import Outcome, Status, Task, read_manifest

CSV, MARKDOWN = "batch.csv", "batch.md"

_SHOWN = {
    "case": "case",
    "status": "status",
    "modalities": "modalities",
    "necrotic_core_ml": "necrotic core ml",
    "oedema_ml": "oedema ml",
    "enhancing_tumour_ml": "enhancing ml",
    "WT_ml": "whole tumour ml",
    "total_ms": "total ms",
    "network_ms": "network ms",
    "note": "note",
}
"""Column of the CSV file -> heading in the Markdown file, which leaves the others out."""

Row = Mapping[str, str]


def write_tables(tasks: Sequence[Task], outcomes: Mapping[str, Outcome], folder: Path) -> None:
    """Write ``batch.csv`` (every column) and ``batch.md`` (those that people read).

    :param outcomes: by name of the case; cases that are not in it have not been run.
    """
    rows = [_row(task, outcomes.get(task.case)) for task in tasks]
    with (
        atomic_write(folder / CSV) as table,
        atomic_write(folder / MARKDOWN) as page,
    ):
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _columns(rows), restval="")
            writer.writeheader()
            writer.writerows(rows)
        page.write_text(_markdown(rows), encoding="utf-8")


def _row(task: Task, outcome: Outcome | None) -> Row:
    status = outcome.status if outcome else Status.NOT_RUN
    row = {"case": task.case, "status": str(status)}
    if outcome and outcome.error:
        return row | {"note": outcome.error}
    manifest = read_manifest(task.manifest) if outcome else None
    if manifest is None:
        return row
    latency = manifest.latency
    return {
        **row,
        "modalities": " ".join(record.modality for record in manifest.inputs),
        **{f"{name}_ml": f"{ml:.3f}" for name, ml in manifest.outputs[0].volumes_ml.items()},
        "total_ms": f"{latency.total_ms:.0f}",
        **{f"{stage}_ms": f"{ms:.0f}" for stage, ms in latency.stages_ms.items()},
        "backend": manifest.runtime.backend,
        "precision": manifest.precision.engine,
        "model": f"{manifest.model.name} {manifest.model.version}",
        "output": task.output.name,
        "note": "; ".join(manifest.warnings),
    }


def _columns(rows: Iterable[Row]) -> list[str]:
    """Return all columns in the order in which they first come, the note last."""
    seen = dict.fromkeys(column for row in rows for column in row if column != "note")
    return [*seen, "note"]


def _markdown(rows: Sequence[Row]) -> str:
    def cells(values: Iterable[str]) -> str:
        return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"

    lines = [cells(_SHOWN.values()), cells("---" for _ in _SHOWN)]
    lines += [cells(row.get(column, "") for column in _SHOWN) for row in rows]
    counts = [(status, sum(row["status"] == status for row in rows)) for status in Status]
    said = ", ".join(f"{count} {status}" for status, count in counts if count)
    return "\n".join(["# Batch", "", f"{len(rows)} cases: {said}.", "", *lines, ""])
