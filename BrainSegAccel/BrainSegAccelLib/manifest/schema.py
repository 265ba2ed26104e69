"""The manifest's JSON Schema (draft 2020-12): made from the model, shipped as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from ..errors import InputError
from ..resources import resource
from .model import SCHEMA_VERSION, Manifest
from .write import render_json

SCHEMA_FILE = f"manifest-{SCHEMA_VERSION}.schema.json"


class _WithoutTitles(GenerateJsonSchema):
    """Leave out the titles that only repeat each key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the schema of a document as its model has it."""
    generated = model.model_json_schema(schema_generator=_WithoutTitles)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": title,
        **{key: value for key, value in generated.items() if key != "title"},
    }


def manifest_schema() -> dict[str, Any]:
    """Return the manifest's schema."""
    return json_schema(Manifest, f"BrainSegAccel manifest {SCHEMA_VERSION}")


def shipped_schema() -> Path:
    """Where the schema lies that ships with the extension."""
    return resource("Schemas", SCHEMA_FILE)


def validate(document: Mapping[str, Any]) -> None:
    """Hold a manifest, read from JSON, to the shipped schema.

    :raises InputError: names the first key that is wrong, and how.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    schema = json.loads(shipped_schema().read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = best_match(validator.iter_errors(document))
    if error is not None:
        raise InputError(
            f"not a valid manifest: {error.message[:300]}",
            where=error.json_path,
            remedy=f"see {SCHEMA_FILE}",
        )


if __name__ == "__main__":
    shipped_schema().parent.mkdir(parents=True, exist_ok=True)
    shipped_schema().write_text(render_json(manifest_schema()), encoding="utf-8")
