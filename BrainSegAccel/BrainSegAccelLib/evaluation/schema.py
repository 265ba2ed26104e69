"""The JSON Schema of an evaluation's report: made from the model, shipped as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..manifest.schema import json_schema
from ..manifest.write import render_json
from ..resources import resource
from .report import SCHEMA_VERSION, EvaluationReport


def evaluation_schema() -> dict[str, Any]:
    """Return the schema as the model has it."""
    return json_schema(EvaluationReport, f"BrainSegAccel evaluation {SCHEMA_VERSION}")


def shipped_evaluation_schema() -> Path:
    """Where the schema lies that ships with the extension."""
    return resource("Schemas", f"evaluation-{SCHEMA_VERSION}.schema.json")


if __name__ == "__main__":
    shipped_evaluation_schema().write_text(render_json(evaluation_schema()), encoding="utf-8")
