"""How values with arrays in them are written down and read again.

Written as JSON, an array is named by its digest: that is what a record keeps of it. A `Packer`,
given to pydantic as context, brings arrays elsewhere and writes what stands for them there; an
`Unpacker` brings them back: so whole values go to another process as they are. Names that may be a
patient's are written only with a packer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, SerializationInfo, ValidationInfo
from pydantic_core import CoreSchema, core_schema


@runtime_checkable
class Packer(Protocol):
    """Brings values that are `carried` to where they are read again."""

    def put(self, value: Any, /) -> Any:
        """Return what stands for a value, as JSON has it."""
        ...


@runtime_checkable
class Unpacker(Protocol):
    """Brings values from where a `Packer` has brought them."""

    def take(self, told: Any, /) -> Any:
        """Return the value that something stands for.

        :raises ValueError: it stands for none.
        """
        ...


def carried(kind: type, digest: Callable[[Any], Any]) -> CoreSchema:
    """Return the schema of a class whose values are carried whole.

    :param digest: names a value in a record.
    """

    def read(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, kind) and isinstance(info.context, Unpacker):
            value = info.context.take(value)
        if not isinstance(value, kind):
            raise ValueError(f"not a {kind.__name__}")
        return value

    def write(value: Any, info: SerializationInfo) -> Any:
        if info.mode == "python":
            return value
        return info.context.put(value) if isinstance(info.context, Packer) else digest(value)

    return core_schema.with_info_plain_validator_function(
        read, serialization=core_schema.plain_serializer_function_ser_schema(write, info_arg=True)
    )


class Carried:
    """Marks the type of an array that is carried whole."""

    @staticmethod
    def __get_pydantic_core_schema__(_source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return carried(np.ndarray, lambda array: {"sha256": sha256(array), "shape": array.shape})


class Written:
    """Marks the type of a small array of float64 that is written number by number."""

    @staticmethod
    def __get_pydantic_core_schema__(_source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def write(array: NDArray[np.float64], info: SerializationInfo) -> Any:
            return array if info.mode == "python" else array.tolist()

        return core_schema.no_info_plain_validator_function(
            lambda value: np.asarray(value, dtype=np.float64),
            serialization=core_schema.plain_serializer_function_ser_schema(write, info_arg=True),
        )


class Bounds:
    """Marks the type of a slice without a step that is written as its two bounds."""

    @staticmethod
    def __get_pydantic_core_schema__(_source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any) -> slice:
            if isinstance(value, slice):
                return value
            start, stop = value
            return slice(int(start), int(stop))

        def write(value: slice, info: SerializationInfo) -> Any:
            return value if info.mode == "python" else [value.start, value.stop]

        return core_schema.no_info_plain_validator_function(
            read,
            serialization=core_schema.plain_serializer_function_ser_schema(write, info_arg=True),
        )


Matrix = Annotated[NDArray[np.float64], Written]
Span = Annotated[slice, Bounds]


def sha256(array: NDArray[np.generic]) -> str:
    """Return the SHA-256 of the values, little-endian, the last axis fastest."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).hexdigest()
