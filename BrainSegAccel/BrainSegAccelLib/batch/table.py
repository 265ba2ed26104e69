"""All cases of a batch in one table: what became of them, volumes, latencies."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..io.atomic import atomic_write
from ..manifest.model import Manifest
from ..reporting.markdown import page, table
from .task import Outcome, Status, Task, read_manifest

CSV, MARKDOWN = "batch.csv", "batch.md"

_BEFORE, _AFTER = ("case", "status", "modalities"), ("total_ms", "network_ms", "note")
"""Columns of the CSV file that the Markdown file shows, around those of the volumes."""

Row = Mapping[str, str]


def write_tables(tasks: Sequence[Task], outcomes: Mapping[str, Outcome], folder: Path) -> None:
    """Write ``batch.csv`` (every column) and ``batch.md`` (those that people read).

    :param outcomes: by name of the case; cases that are not in it have not been run.
    """
    manifests = [read_manifest(task.manifest) if task.case in outcomes else None for task in tasks]
    rows = [
        _row(task, outcomes.get(task.case), manifest)
        for task, manifest in zip(tasks, manifests, strict=True)
    ]
    with (
        atomic_write(folder / CSV) as cells,
        atomic_write(folder / MARKDOWN) as text,
    ):
        with cells.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _columns(rows), restval="")
            writer.writeheader()
            writer.writerows(rows)
        text.write_text(_page(rows, _shown(manifests)), encoding="utf-8")


def _row(task: Task, outcome: Outcome | None, manifest: Manifest | None) -> Row:
    status = outcome.status if outcome else Status.NOT_RUN
    row = {"case": task.case, "status": str(status)}
    if outcome and outcome.error:
        return row | {"note": outcome.error}
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


def _shown(manifests: Iterable[Manifest | None]) -> dict[str, str]:
    """Return column of the CSV file -> heading, of what the Markdown file shows.

    Volumes are those of every label, and of all that is tumour.
    """
    labels, regions = dict[str, str](), dict[str, str]()
    for manifest in manifests:
        output = manifest.outputs[0] if manifest else None
        if output is not None:
            labels |= {name: label.name.lower() for name, label in output.labels.items()}
            regions |= {
                name: output.regions[name].name
                for name in output.outermost
                if len(output.regions[name].labels) > 1
            }
    volumes = {f"{name}_ml": f"{heading} ml" for name, heading in (labels | regions).items()}
    plain = {column: column.replace("_", " ") for column in (*_BEFORE, *_AFTER)}
    return {**{c: plain[c] for c in _BEFORE}, **volumes, **{c: plain[c] for c in _AFTER}}


def _page(rows: Sequence[Row], shown: Mapping[str, str]) -> str:
    counts = [(status, sum(row["status"] == status for row in rows)) for status in Status]
    said = ", ".join(f"{count} {status}" for status, count in counts if count)
    cells = ([row.get(column, "") for column in shown] for row in rows)
    return page(["# Batch", f"{len(rows)} cases: {said}.", table(list(shown.values()), cells)])
