from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.manifest.model import Manifest
from BrainSegAccelLib.manifest.schema import manifest_schema, shipped_schema, validate

DOCS = Path(__file__).parents[2] / "docs" / "manifest.md"


@pytest.fixture
def document(manifest: Manifest) -> dict[str, Any]:
    return manifest.model_dump(mode="json")


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    return (value for value in schema["$defs"].values() if "properties" in value)


def test_shipped_schema_is_the_model() -> None:
    shipped = json.loads(shipped_schema().read_text(encoding="utf-8"))
    assert shipped == manifest_schema(), "run python -m BrainSegAccelLib.manifest.schema"


def test_schema_is_draft_2020_12() -> None:
    schema = manifest_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_nullable_value_has_a_reason_beside_it() -> None:
    nullable = 0
    for found in objects(manifest_schema()):
        names = [
            n for n, p in found["properties"].items() if {"type": "null"} in p.get("anyOf", [])
        ]
        nullable += len(names)
        assert not names or "reason" in found["properties"], names
    assert nullable > 20


def test_every_key_is_required_and_no_other_taken() -> None:
    for found in objects(manifest_schema()):
        assert found["additionalProperties"] is False
        assert set(found["required"]) == set(found["properties"]) - {"reason"}


def test_a_built_manifest_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert Manifest.model_validate(document).model_dump(mode="json") == document


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("latency", "end_to_end", "iterations"), 5, "iterations"),
        (("latency", "model_only", "reason"), None, "model_only"),
        (("runtime", "engine", "cache_hit"), None, "engine"),
        (("inputs", 0, "sha256"), "abc", "sha256"),
        (("inputs", 0, "patient_name"), "Jane Doe", "inputs"),
        (("inputs",), [], "inputs"),
        (("schema_version",), "2.0", "schema_version"),
        (("precision", "requested"), "fp8", "requested"),
    ],
)
def test_what_the_schema_refuses(
    document: dict[str, Any], path: tuple, value: Any, where: str
) -> None:
    broken = copy.deepcopy(document)
    target: Any = broken
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(InputError, match=where) as refused:
        validate(broken)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", list(Manifest.model_fields))
def test_no_top_key_may_be_missing(document: dict[str, Any], key: str) -> None:
    del document[key]
    with pytest.raises(InputError, match=key):
        validate(document)


def test_the_documentation_names_every_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    schema = manifest_schema()
    named = {name for found in (schema, *objects(schema)) for name in found["properties"]}
    assert not [name for name in sorted(named) if f"`{name}`" not in text]
