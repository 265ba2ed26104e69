"""The INT8 export: what is in it, what the card says of it, and what it is made on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from BrainSegAccelLib.backends.openvino import BACKEND
from BrainSegAccelLib.backends.protocol import Precision
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.errors import ModelError, UnavailableError
from BrainSegAccelLib.inference.calibration import calibrate_on_cases, calibrate_on_phantoms
from BrainSegAccelLib.models.calibration import calibration_of
from BrainSegAccelLib.models.package import ModelPackage, load_package


def _case(seed: int, modalities: int = 4) -> tuple[np.ndarray, np.ndarray]:
    availability = np.array([[1.0] * modalities + [0.0] * (4 - modalities)], np.float32)
    x = np.random.default_rng(seed).normal(size=(1, 4, 16, 16, 16)).astype(np.float32)
    return x * availability[:, :, None, None, None], availability


def test_each_case_counts_once_more_without_one_modality() -> None:
    inputs = calibration_of([_case(0), _case(1)], seed=7).inputs
    assert [list(there[0]) for _, there in inputs] == [
        [1, 1, 1, 1],
        [0, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 0, 1, 1],
    ]
    assert not inputs[1][0][:, 0].any()
    assert inputs[1][0][:, 1].any()


def test_a_case_is_never_left_without_any_modality() -> None:
    assert len(calibration_of([_case(0, modalities=1)]).inputs) == 1


def test_the_record_tells_source_count_seed_and_content() -> None:
    one, same, other = (calibration_of([_case(seed)], seed=7).record for seed in (0, 0, 1))
    assert (one.source, one.count, one.seed) == ("phantoms", 2, 7)
    assert one == same
    assert one.inputs_sha256 != other.inputs_sha256
    assert calibration_of([_case(0)]).record.source == "cases"


def test_phantoms_and_cases_are_prepared_alike(
    tiny_package: ModelPackage, write_case, tmp_path: Path
) -> None:
    folder = write_case(tmp_path / "case", np.zeros((30, 40, 28), np.uint8))
    written: list[int] = []

    def write_phantom(seed: int, place: Path) -> None:
        written.append(seed)
        shutil.copytree(folder, place, dirs_exist_ok=True)

    own = calibrate_on_cases([folder, folder], tiny_package.card)
    phantoms = calibrate_on_phantoms(5, 2, write_phantom, tiny_package.card)
    assert written == [5, 6]
    assert own.record.inputs_sha256 == phantoms.record.inputs_sha256
    assert own.inputs[0][0].shape == (1, 4, *tiny_package.card.inference.window)


def test_convolutions_but_the_stem_are_int8_and_nothing_else(
    quantised_package: ModelPackage,
) -> None:
    graph = onnx.load_from_string(quantised_package.quantised().whole()).graph
    widened = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    fed = [node for node in graph.node if widened.intersection(node.input)]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert fed == convolutions[1:]
    record = quantised_package.card.quantised
    assert record is not None
    assert record.layers == len(fed)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            assert weights[node.input[0]].data_type == onnx.TensorProto.INT8


def _int8_convolutions(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    widened = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return [n.name for n in graph.node if n.op_type == "Conv" and n.input[1] in widened]


def test_a_convolution_that_spoils_the_result_goes_back_to_fp32(
    tiny_package: ModelPackage,
) -> None:
    pytest.importorskip("nncf")
    from BrainSegAccelLib.models.quantise import quantised_onnx

    names: list[str] = []

    def compile_export(export: bytes):
        """A runtime that finds another region as soon as one convolution is INT8."""
        found = _int8_convolutions(onnx.load_from_string(export))
        names.extend(found if not names else [])
        wrong = bool(names) and names[2] in found

        def run(x: np.ndarray, availability: np.ndarray) -> np.ndarray:
            regions = np.zeros((3, *x.shape[2:]), np.float32)
            regions[:, 8 if wrong else 0 :] = 1.0
            return regions

        return run

    calibration = calibration_of([_case(0), _case(1)], seed=7)
    cases = replace(
        calibration,
        inputs=tuple(
            (np.resize(x, (1, 4, *tiny_package.card.inference.window)), there)
            for x, there in calibration.inputs
        ),
    )
    content, agreement = quantised_onnx(tiny_package, cases, compile_export)
    left = _int8_convolutions(onnx.load_from_string(content))
    assert agreement == 1.0
    assert names[2] not in left
    assert 0 < len(left) < len(names)


def test_every_voxel_of_the_inputs_weighs_the_same(tiny_package: ModelPackage) -> None:
    """A region of one slice that INT8 loses in one input hardly counts beside whole ones."""
    pytest.importorskip("nncf")
    from BrainSegAccelLib.models.quantise import quantised_onnx

    depth = tiny_package.card.inference.window[0]

    def compile_export(export: bytes):
        lost = bool(_int8_convolutions(onnx.load_from_string(export)))

        def run(x: np.ndarray, availability: np.ndarray) -> np.ndarray:
            regions = np.zeros((3, *x.shape[2:]), np.float32)
            if availability.all():
                regions[:] = 1.0
            elif not lost:
                regions[:, 0] = 1.0
            return regions

        return run

    x = np.resize(_case(0)[0], (1, 4, *tiny_package.card.inference.window))
    calibration = calibration_of([(x, np.ones((1, 4), np.float32))], seed=7)
    _, agreement = quantised_onnx(tiny_package, calibration, compile_export, largest_loss=0.1)
    assert agreement == pytest.approx(2 * depth / (2 * depth + 1))


def test_an_agreement_that_is_not_reached_is_a_warning(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    pytest.importorskip("nncf")
    from BrainSegAccelLib.models.quantise import export_quantised

    calls = 0

    def compile_export(export: bytes):
        """A runtime that never finds the same twice."""
        nonlocal calls
        calls += 1
        here = calls % 8

        def run(x: np.ndarray, availability: np.ndarray) -> np.ndarray:
            regions = np.zeros((3, *x.shape[2:]), np.float32)
            regions[:, here] = 1.0
            return regions

        return run

    shutil.copytree(tiny_package.folder, tmp_path / "model")
    package = load_package(tmp_path / "model" / "tiny.card.json")
    x = np.resize(_case(0)[0], (1, 4, *package.card.inference.window))
    calibration = calibration_of([(x, np.ones((1, 4), np.float32))])
    with pytest.warns(UserWarning, match="agrees with FP32 to a Dice of"):
        export_quantised(package, calibration, compile_export)


def test_the_card_tells_how_well_it_agrees(quantised_package: ModelPackage) -> None:
    record = quantised_package.card.quantised
    assert record is not None
    assert record.agreement_dice is not None
    assert 0.9 < record.agreement_dice <= 1.0


def test_it_is_smaller_and_tied_to_the_weights(quantised_package: ModelPackage) -> None:
    card = quantised_package.card
    assert card.quantised is not None
    assert card.quantised.made_from_sha256 == card.weights.sha256
    assert card.quantised.calibration.count == 4
    assert card.quantised.tool.startswith("nncf ")
    other = card.quantised.model_copy(update={"made_from_sha256": "0" * 64})
    torn = replace(quantised_package, card=card.model_copy(update={"quantised": other}))
    with pytest.raises(ModelError, match="made from other weights"):
        torn.quantised()


def test_nncf_tells_nobody_that_it_was_used(quantised_package: ModelPackage) -> None:
    from nncf.telemetry.wrapper import NNCFTelemetry, telemetry

    assert quantised_package.card.quantised
    assert not isinstance(telemetry, NNCFTelemetry)


def test_another_calibration_is_another_engine(quantised_package: ModelPackage) -> None:
    card = quantised_package.card
    assert card.quantised is not None
    calibration = card.quantised.calibration.model_copy(update={"seed": 99})
    changed = card.quantised.model_copy(update={"calibration": calibration})
    other = replace(quantised_package, card=card.model_copy(update={"quantised": changed}))
    keys = {
        BACKEND.key(package, card.inference.window, precision, "cpu", {}).digest
        for package in (quantised_package, other)
        for precision in (Precision.INT8, Precision.FP32)
    }
    assert len(keys) == 3


def test_a_model_without_one_says_how_to_make_it(tiny_package: ModelPackage) -> None:
    with pytest.raises(UnavailableError, match="export --int8"):
        tiny_package.quantised().whole()


def test_the_command_calibrates_on_a_folder(
    quantised_package: ModelPackage, write_case, tmp_path: Path, capsys
) -> None:
    write_case(tmp_path / "cases" / "one", np.zeros((30, 40, 28), np.uint8))
    model = Path(shutil.copytree(quantised_package.folder, tmp_path / "model"))
    card = model / "tiny.card.json"
    before = card.read_bytes()
    arguments = ["export", "--model", str(card), "--int8", "--largest-loss", "1"]
    assert main([*arguments, "--calibration", str(tmp_path / "cases")]) == 0
    record = load_package(card).card.quantised
    assert record is not None
    assert record.sha256 in capsys.readouterr().out
    assert record.calibration.source == "cases"
    assert card.read_bytes() != before
