"""ONNX graphs whose weights lie in a model's safetensors file, made whole in memory.

On disk such a graph is ONNX with external data, which any tool opens by its path. The runtimes here
are never given a path: they would open the weights anew, after their hash was checked, and OpenVINO
follows whatever else a graph names, a file in the working folder or an address in memory. So every
reference is replaced by the bytes that were checked, and one that leads elsewhere is refused.

The messages are those parts of ONNX's that can hold a tensor
(github.com/onnx/onnx/blob/main/onnx/onnx.proto); protobuf keeps all other fields as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from ..errors import ModelError

LARGEST = 2**31 - 1
"""Bytes of a message that protobuf takes."""
_REMEDY = "reinstall BrainSegAccel or give another model"
_EXTERNAL = 1
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "training": (20, "Training*"), "functions": (25, "Function*")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {"node": (7, "Node*"), "attribute": (11, "Attribute*")},
    "Graph": {"node": (1, "Node*"), "initializer": (5, "Tensor*"), "sparse": (15, "Sparse*")},
    "Node": {"attribute": (5, "Attribute*")},
    "Attribute": {
        "tensor": (5, "Tensor"),
        "graph": (6, "Graph"),
        "tensors": (10, "Tensor*"),
        "graphs": (11, "Graph*"),
        "sparse": (22, "Sparse"),
        "sparses": (23, "Sparse*"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
        "external_data": (13, "Entry*"),
        "data_location": (14, "int32"),
    },
    "Entry": {"key": (1, "string"), "value": (2, "string")},
}
"""Fields of each message with number and kind; a star marks what may be there more than once."""


@functools.cache
def _model_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "brainsegaccel"
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}/onnx.proto", package=package, syntax="proto2"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            entry = described.field.add(name=field, number=number)
            entry.label = entry.LABEL_REPEATED if kind.endswith("*") else entry.LABEL_OPTIONAL
            kind = kind.rstrip("*")
            if kind in _MESSAGES:
                entry.type, entry.type_name = entry.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                entry.type = entry.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Model"))


def inline_weights(graph: bytes, weights: bytes, weights_file: str, name: str) -> bytes:
    """Return the ONNX model with every reference to the weights replaced by what it refers to.

    :param graph: ONNX with external data in ``weights_file``; data that it holds itself stays.
    :param weights: the content of that file, checked.
    :param name: of the graph's file, for messages.
    :raises ModelError: it is not ONNX, refers to anything else or beyond the end, or is too large.
    """
    from google.protobuf.message import DecodeError

    if len(graph) + len(weights) > LARGEST:
        raise ModelError("has more than 2 GB with its weights", where=name, remedy=_REMEDY)
    try:
        model = _model_class().FromString(graph)
    except DecodeError as error:
        raise ModelError("is not an ONNX file", where=name, remedy=_REMEDY) from error
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location:
            tensor.raw_data = _referred(tensor, weights, weights_file, name)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model.SerializeToString()


def _tensors(message: Any) -> Iterator[Any]:
    if message.DESCRIPTOR.name == "Tensor":
        yield message
        return
    kinds = _MESSAGES[message.DESCRIPTOR.name]
    for field, value in message.ListFields():
        if field.message_type:
            for each in value if kinds[field.name][1].endswith("*") else [value]:
                yield from _tensors(each)


def _referred(tensor: Any, weights: bytes, weights_file: str, name: str) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = [entries.get(key, "") for key in ("offset", "length")]
    if (
        tensor.data_location != _EXTERNAL
        or entries.get("location") != weights_file
        or not all(number.isascii() and number.isdigit() for number in place)
    ):
        raise ModelError(
            f"{tensor.name} lies outside its weights, {weights_file}", where=name, remedy=_REMEDY
        )
    offset, length = map(int, place)
    if offset + length > len(weights):
        raise ModelError(
            f"{tensor.name} lies beyond the end of {weights_file}", where=name, remedy=_REMEDY
        )
    return weights[offset : offset + length]
