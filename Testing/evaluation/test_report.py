"""The report as documents: JSON by its schema, Markdown with every figure."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from BrainSegAccelLib.evaluation.page import to_markdown
from BrainSegAccelLib.evaluation.report import EvaluationReport
from BrainSegAccelLib.evaluation.run import evaluate_cases
from BrainSegAccelLib.evaluation.schema import evaluation_schema, shipped_evaluation_schema
from BrainSegAccelLib.io.labelled import case_folders
from BrainSegAccelLib.runs.progress import Silent
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR


def labels(*, enhancing: bool) -> np.ndarray:
    array = np.zeros((30, 40, 28), dtype=np.uint8)
    array[8:20, 10:24, 8:20] = 2
    array[10:16, 13:20, 10:16] = 1
    if enhancing:
        array[11:14, 14:18, 11:14] = 3
    return array


@pytest.fixture
def reports(root: Path, write_case, answering) -> dict[bool, EvaluationReport]:
    """The same cases with and without subsets; one has a false positive, one has failed."""
    write_case(root / "a", labels(enhancing=True))
    write_case(root / "b", labels(enhancing=False), modalities=(Modality.T1, Modality.T2))
    (write_case(root / "c|d", labels(enhancing=True)) / "seg.nii.gz").unlink()
    pipeline = answering(
        lambda study: Segmentation(labels(enhancing=True), study.reference_grid, TUMOUR.scheme)
    )
    return {
        every: evaluate_cases(case_folders(root), root, pipeline, Silent(), every_subset=every)
        for every in (True, False)
    }


def test_shipped_schema_is_the_model() -> None:
    shipped = json.loads(shipped_evaluation_schema().read_text(encoding="utf-8"))
    assert shipped == evaluation_schema(), "run python -m BrainSegAccelLib.evaluation.schema"
    jsonschema.Draft202012Validator.check_schema(shipped)


def test_reports_hold_to_the_schema_and_come_back_the_same(reports) -> None:
    schema = json.loads(shipped_evaluation_schema().read_text(encoding="utf-8"))
    for report in reports.values():
        document = json.loads(json.dumps(report.model_dump(mode="json")))
        jsonschema.validate(document, schema)
        assert EvaluationReport.model_validate(document) == report
        document["cases"][0]["regions"]["WT"]["dice"] = None
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)


def tables(text: str) -> dict[str, list[dict[str, str]]]:
    """Return the tables of a Markdown document by their headings, rows by column."""
    found: dict[str, list[dict[str, str]]] = {}
    heading, columns = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            heading, columns = line.strip("# "), []
        elif line.startswith("|"):
            cells = [cell.strip(" *") for cell in line.replace("\\|", "!")[1:-1].split("|")]
            if not columns:
                columns = cells
            elif set(cells) != {"---"}:
                assert len(cells) == len(columns)
                found.setdefault(heading, []).append(dict(zip(columns, cells, strict=True)))
    return found


def test_every_table_has_the_baseline_and_its_figures(reports) -> None:
    report = reports[True]
    found = tables(to_markdown(report))
    dice, distances = found["Dice"], found["HD95, mm"]
    assert [row["case"] for row in dice] == ["a", "b", "mean", "mean, empty references counted"]
    baseline = report.cases[0].no_network
    assert dice[0]["WT, no network"] == f"{baseline.dice:.3f}"
    assert dice[1]["WT, no network"] == "n/a"
    assert distances[0]["WT, no network"] == f"{baseline.hd95_mm:.1f}"
    assert [row["ET"] for row in dice] == ["1.000", "false", "1.000", "0.500"]
    assert [row["ET"] for row in distances] == ["0.0", "false", "0.0", "186.6"]
    assert dice[1]["predicted ET / TC / WT ml"] == "0.0 / 0.3 / 2.0"
    assert dice[2]["predicted ET / TC / WT ml"] == ""
    (enhancing,) = (row for row in found["Regions that a reference lacks"] if row["region"] == "ET")
    assert (enhancing["cases without it"], enhancing["false positives"]) == ("1", "1")


def test_subsets_without_t1c_are_listed_apart_for_enhancing_tumour(reports) -> None:
    found = tables(to_markdown(reports[True]))
    for name in ("Dice of every subset", "HD95 of every subset, mm"):
        rows = found[name]
        assert [row["modalities"] for row in rows][-2:] == ["T1, T1c, T2, FLAIR", "mean of the 15"]
        for row in rows[:-1]:
            apart = "T1c" not in row["modalities"].split(", ")
            assert (row["ET"] == "") == apart
            assert (row["ET, no T1c"] != "") == apart
            assert (row["WT, no network"] != "n/a") == ("FLAIR" in row["modalities"])
        assert all(rows[-1][column] for column in ("ET", "ET, no T1c", "TC", "WT"))
    assert "Lowest Dice of WT: T1: 100% of all four's." in to_markdown(reports[True])


def test_without_subsets_there_are_no_tables_of_them(reports) -> None:
    assert not [name for name in tables(to_markdown(reports[False])) if "subset" in name]


def test_failed_cases_and_conventions_are_told(reports) -> None:
    text = to_markdown(reports[False])
    (failed,) = tables(text)["Failed"]
    assert failed["case"] == "c!d"
    assert failed["error"].startswith("c!d: has no labels")
    assert "2 of 3 cases" in text
    for rule in reports[False].conventions:
        assert f"- {rule}" in text
