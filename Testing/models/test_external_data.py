"""A model's weights lie in one file: graphs that refer to it, and what they may not refer to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from BrainSegAccelLib.errors import ModelError
from BrainSegAccelLib.models.external_data import inline_weights
from BrainSegAccelLib.models.outline import PREFIX, WeightsFile, refer_to_weights
from BrainSegAccelLib.models.package import ModelPackage, load_package, shipped_models
from onnx import helper
from onnx.numpy_helper import from_array, to_array
from safetensors.numpy import save

FILE = "w.safetensors"
EVERY_EXPORT = [
    (name, kind)
    for name in (*shipped_models(), *shipped_models("brain"))
    for kind in ("onnx", "quantised")
    if getattr(load_package(name).card, kind)
]


def _model(*tensors: onnx.TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(list(nodes), "g", [], [output], list(tensors)))


def _reference(**entries: str) -> onnx.TensorProto:
    tensor = onnx.TensorProto(
        name="w",
        data_type=onnx.TensorProto.FLOAT,
        dims=[4],
        data_location=onnx.TensorProto.EXTERNAL,
    )
    given = {"location": FILE, "offset": "0", "length": "16"} | entries
    for key, value in given.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize(("name", "kind"), EVERY_EXPORT)
def test_what_ships_holds_its_weights_once(name: str, kind: str) -> None:
    package = load_package(name)
    export = getattr(package, kind)()
    assert len(export.graph) < 0.1 * len(export.weights) or len(export.graph) < 450_000
    external = [
        tensor
        for tensor in onnx.load_from_string(export.graph).graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    assert len(external) > 20
    assert len({tensor.name for tensor in external}) == len(external)
    whole = onnx.load_from_string(export.whole())
    onnx.checker.check_model(whole, full_check=True)
    stored = {tensor.name: to_array(tensor) for tensor in whole.graph.initializer}
    weights = WeightsFile(package.card.weights.file, export.weights).tensors()
    for tensor in external:
        np.testing.assert_array_equal(
            stored[tensor.name], weights[tensor.name.removeprefix(PREFIX)]
        )


def test_any_tool_opens_an_export_by_its_path(tiny_package: ModelPackage) -> None:
    record = tiny_package.card.onnx
    assert record is not None
    opened = onnx.load(str(tiny_package.folder / record.file))
    onnx.checker.check_model(str(tiny_package.folder / record.file))
    whole = onnx.load_from_string(tiny_package.onnx().whole())
    for one, other in zip(opened.graph.initializer, whole.graph.initializer, strict=True):
        np.testing.assert_array_equal(to_array(one), to_array(other))


def test_runtimes_get_nothing_to_open(tiny_package: ModelPackage) -> None:
    whole = onnx.load_from_string(tiny_package.onnx().whole())
    assert not any(tensor.external_data for tensor in whole.graph.initializer)
    assert not any(tensor.data_location for tensor in whole.graph.initializer)


def test_an_export_that_holds_its_weights_itself_is_taken(tiny_package: ModelPackage) -> None:
    whole = tiny_package.onnx().whole()
    export = replace(tiny_package.onnx(), graph=whole)
    assert onnx.load_from_string(export.whole()) == onnx.load_from_string(whole)


def _in_initialiser(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return _model(tensor)


def _in_sparse_initialiser(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = _model()
    model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    return model


def _constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    node = onnx.NodeProto(op_type="Constant", output=["y"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    return node


def _in_attribute(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return _model(nodes=(_constant(tensor),))


def _in_branch(tensor: onnx.TensorProto) -> onnx.ModelProto:
    branch = _model(tensor).graph
    return _model(nodes=(helper.make_node("If", ["c"], ["y"], then_branch=branch),))


def _in_function(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = _model()
    model.functions.add(name="f").node.add().CopyFrom(_constant(tensor))
    return model


@pytest.mark.parametrize(
    "place", [_in_initialiser, _in_sparse_initialiser, _in_attribute, _in_branch, _in_function]
)
@pytest.mark.parametrize(
    "entries",
    [
        # An address in this process, by a name that ONNX Runtime made up and OpenVINO follows.
        {"location": "*/_ORT_MEM_ADDR_/*", "offset": "4096"},
        {"location": "other.safetensors"},
        {"location": f"../{FILE}"},
        {"location": f"/tmp/{FILE}"},
        {"location": ""},
        {"offset": "-16"},
        {"offset": "0x10"},
        {"offset": ""},
        {"length": "1e1"},
        {"offset": "96"},
        {"length": str(1 << 62)},
    ],
)
def test_a_reference_that_leads_elsewhere_is_refused(
    place: Callable[[onnx.TensorProto], onnx.ModelProto], entries: dict[str, str]
) -> None:
    content = place(_reference(**entries)).SerializeToString()
    weights = bytes(100)
    with pytest.raises(ModelError, match=r"g\.onnx: w lies (outside its weights|beyond the end)"):
        inline_weights(content, weights, FILE, "g.onnx")


@pytest.mark.parametrize(
    "place", [_in_initialiser, _in_sparse_initialiser, _in_attribute, _in_branch, _in_function]
)
def test_a_reference_is_replaced_wherever_it_stands(
    place: Callable[[onnx.TensorProto], onnx.ModelProto],
) -> None:
    values = np.arange(8, dtype="<f4")
    content = place(_reference(offset="16")).SerializeToString()
    found = inline_weights(content, values.tobytes(), FILE, "g.onnx")
    assert values[4:].tobytes() in found
    assert FILE.encode() not in found


def test_external_data_that_nothing_points_to_is_refused() -> None:
    tensor = onnx.TensorProto(name="w", data_location=onnx.TensorProto.EXTERNAL)
    with pytest.raises(ModelError, match="w lies outside its weights"):
        inline_weights(_model(tensor).SerializeToString(), b"", FILE, "g.onnx")


@pytest.mark.parametrize("left", [1, 1000, -1])
def test_a_graph_that_is_cut_off_is_refused(tiny_package: ModelPackage, left: int) -> None:
    export = tiny_package.onnx()
    with pytest.raises(ModelError, match=r"g\.onnx: is not an ONNX file"):
        inline_weights(export.graph[:left], export.weights, FILE, "g.onnx")


def _referring(constant: np.ndarray, weight: np.ndarray, **others: np.ndarray) -> onnx.ModelProto:
    """A model that adds a constant to itself, referring to what weights it can."""
    node = helper.make_node("Add", ["c", "c"], ["y"])
    content = save({"w": weight, **others})
    return refer_to_weights(
        _model(from_array(constant, "c"), nodes=(node,)), WeightsFile(FILE, content)
    )


HALF = np.array([[1.5, -2.25, 3.0], [0.5, 65504.0, -0.125]], np.float16)
EXACT = HALF.astype(np.float32)


@pytest.mark.parametrize(
    ("constant", "weight", "kinds"),
    [
        (EXACT, HALF, ["Cast", "Add"]),
        (EXACT / 3, EXACT / 3, ["Cast", "Add"]),
        (EXACT.T, HALF, ["Cast", "Transpose", "Add"]),
        (EXACT + np.float32(1e-3), HALF, ["Add"]),
        (EXACT.reshape(3, 2), HALF, ["Add"]),
        (EXACT.astype(np.float64), HALF, ["Add"]),
    ],
)
def test_a_constant_is_referred_to_where_it_can_be_had_to_the_last_bit(
    constant: np.ndarray, weight: np.ndarray, kinds: list[str]
) -> None:
    model = _referring(np.ascontiguousarray(constant), weight)
    assert [node.op_type for node in model.graph.node] == kinds
    content = save({"w": weight})
    whole = inline_weights(model.SerializeToString(), content, FILE, "g.onnx")
    evaluator = onnx.reference.ReferenceEvaluator(onnx.load_from_string(whole))
    (found,) = evaluator.run(None, {})
    np.testing.assert_array_equal(found, constant + constant)


def test_of_equal_weights_the_one_of_the_constants_name_is_taken() -> None:
    node = helper.make_node("Identity", ["network.second"], ["y"])
    model = _model(from_array(EXACT, "network.second"), nodes=(node,))
    file = WeightsFile(FILE, save({"first": HALF, "second": HALF}))
    (reference,) = refer_to_weights(model, file).graph.initializer
    assert reference.name == f"{PREFIX}second"


def test_constants_that_are_alike_are_kept_once() -> None:
    values = np.arange(3.0, dtype=np.float32) / 7
    node = helper.make_node("Add", ["a", "b"], ["y"])
    model = _model(from_array(values, "a"), from_array(values, "b"), nodes=(node,))
    referring = refer_to_weights(model, WeightsFile(FILE, save({"w": HALF})))
    assert [tensor.name for tensor in referring.graph.initializer] == ["a"]
    assert list(referring.graph.node[0].input) == ["a", "a"]
