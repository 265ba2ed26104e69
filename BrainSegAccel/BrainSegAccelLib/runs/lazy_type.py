"""Types of fields whose modules are imported only once a value of theirs is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any

from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    TypeAdapter,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_LIBRARY = __package__.rpartition(".")[0]


@dataclass(frozen=True)
class _LazyType:
    """Stands for a type.

    :param module: below the library, e.g. ``geometry.volume``.
    """

    module: str
    name: str

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(getattr(import_module(f"{_LIBRARY}.{self.module}"), self.name))

    def _read(self, value: Any, info: ValidationInfo) -> Any:
        return self._adapter.validate_python(value, context=info.context)

    def _write(self, value: Any, info: SerializationInfo) -> Any:
        as_json = info.mode != "python"
        dump = self._adapter.dump_python
        return dump(value, mode="json" if as_json else "python", context=info.context)

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self._write, info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"description": f"a {self.name}"}


def lazy_type(module: str, name: str) -> Any:
    """Return what stands for a type in the annotations of a pydantic model."""
    return Annotated[Any, _LazyType(module, name)]
