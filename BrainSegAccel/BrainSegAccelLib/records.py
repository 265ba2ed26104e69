"""The manifest's one rule for what is not known: null beside a reason, never an invented value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

MIN_ITERATIONS = 20
"""Fewer timed iterations give no percentiles: p95 of 20 lies between the two largest."""


def _rounded(digits: int) -> AfterValidator:
    return AfterValidator(lambda value: round(value, digits))


Milliseconds = Annotated[float, Field(ge=0), _rounded(3)]
Seconds = Annotated[float, Field(ge=0), _rounded(3)]
Millimetres = Annotated[float, _rounded(6)]
Millilitres = Annotated[float, Field(ge=0), _rounded(3)]
Score = Annotated[float, _rounded(6)]
Share = Annotated[Score, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
UtcTime = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC).replace(microsecond=0)),
]
Axes = Annotated[
    tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]],
    Field(description="Voxels along i, j, k (x, y, z of the file)."),
]
Spacing = Annotated[
    tuple[Millimetres, Millimetres, Millimetres],
    Field(description="Voxel size along i, j, k (x, y, z of the file) in mm."),
]


class Record(BaseModel):
    """A part of the manifest: closed and immutable; NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Measured(Record):
    """A part of the manifest in which a value may be absent.

    Fields that may be null have no default: whoever builds the record says null. ``reason`` is
    there exactly when one of them is null, and says why in one sentence.
    """

    reason: str | None = None

    @model_validator(mode="after")
    def _null_beside_a_reason(self) -> Measured:
        fields = [name for name in type(self).model_fields if name != "reason"]
        absent = [name for name in fields if getattr(self, name) is None]
        if absent and not (self.reason and self.reason.strip()):
            raise ValueError(f"{', '.join(absent)}: null needs a reason beside it")
        if self.reason is not None and not absent:
            raise ValueError("a reason is given although every value is there")
        return self

    @model_serializer(mode="wrap")
    def _reason_only_beside_null(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        reason = document.pop("reason")
        return document if reason is None else {**document, "reason": reason}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say the rule in JSON Schema too, so that any validator can hold a manifest to it."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        properties = schema["properties"]
        properties["reason"] = {
            "type": "string",
            "pattern": r"\S",
            "description": "Why a value beside it is null.",
        }
        nullable = [name for name, value in properties.items() if _accepts_null(value)]
        schema["if"] = {"anyOf": [{"properties": {name: {"type": "null"}}} for name in nullable]}
        schema["then"] = {"required": ["reason"]}
        schema["else"] = {"not": {"required": ["reason"]}}
        return reference


def check_together(values: Mapping[str, object]) -> None:
    """Refuse a set of values of which some are null and some are not.

    :raises ValueError: naming the values that are absent.
    """
    absent = [name for name, value in values.items() if value is None]
    if absent and len(absent) < len(values):
        raise ValueError(
            f"{', '.join(values)} are given together or not at all; null: {', '.join(absent)}"
        )


def first_problem(error: ValidationError) -> str:
    """Return where a document is wrong and how, of the first place that is: ``a.b: reason``."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{place}: {first['msg']}"


def _accepts_null(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())
