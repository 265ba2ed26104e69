from __future__ import annotations

import jsonschema
import pytest
from BrainSegAccelLib.records import Measured, check_together, first_problem
from pydantic import ValidationError


class Thing(Measured):
    name: str
    weight: float | None
    length: float | None


def test_null_without_a_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="length: null needs a reason"):
        Thing(name="a", weight=1.0, length=None)


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_empty_reason_is_none(reason: str) -> None:
    with pytest.raises(ValidationError, match="needs a reason"):
        Thing(name="a", weight=1.0, length=None, reason=reason)


def test_a_reason_beside_values_is_refused() -> None:
    with pytest.raises(ValidationError, match="although every value is there"):
        Thing(name="a", weight=1.0, length=2.0, reason="not measured")


def test_null_has_to_be_said() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Thing(name="a", weight=1.0, reason="not measured")  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_value_is_nan_or_infinite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Thing(name="a", weight=value, length=1.0)


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Thing(name="a", weight=1.0, length=2.0, colour="red")  # type: ignore[call-arg]


def test_the_reason_is_written_last_and_only_beside_null() -> None:
    known = Thing(name="a", weight=1.0, length=2.0).model_dump()
    unknown = Thing(name="a", weight=1.0, length=None, reason="too long").model_dump()
    assert list(known) == ["name", "weight", "length"]
    assert list(unknown) == ["name", "weight", "length", "reason"]


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({"name": "a", "weight": 1.0, "length": 2.0}, True),
        ({"name": "a", "weight": 1.0, "length": None, "reason": "too long"}, True),
        ({"name": "a", "weight": 1.0, "length": None}, False),
        ({"name": "a", "weight": 1.0, "length": None, "reason": " "}, False),
        ({"name": "a", "weight": 1.0, "length": None, "reason": None}, False),
        ({"name": "a", "weight": 1.0, "length": 2.0, "reason": "too long"}, False),
        ({"name": "a", "weight": 1.0}, False),
    ],
)
def test_the_schema_says_the_same_rule(document: dict, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(Thing.model_json_schema())
    assert validator.is_valid(document) is valid


def test_values_that_belong_together() -> None:
    check_together({"a": None, "b": None})
    check_together({"a": 0, "b": 1})
    with pytest.raises(ValueError, match="a, b are given together or not at all; null: b"):
        check_together({"a": 1, "b": None})


@pytest.mark.parametrize(
    ("document", "place"),
    [('{"name": "a", "weight": "x", "length": 1}', "weight: "), ("[]", "document: ")],
)
def test_the_first_problem_names_its_place(document: str, place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate_json(document)
    assert first_problem(caught.value).startswith(place)
    assert "\n" not in first_problem(caught.value)
