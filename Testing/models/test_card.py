"""Model cards: what ships says, what an older one meant, and that no absurd one is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from BrainSegAccelLib.errors import ModelError
from BrainSegAccelLib.models.card import LARGEST_CARD, ModelCard, read_card
from BrainSegAccelLib.models.description import ZScore
from BrainSegAccelLib.models.package import load_package

Write = Callable[[Any], Path]

OLDER = {
    "schema_version": "1.0",
    "name": "own",
    "version": "1",
    "summary": "trained by a user",
    "intended_use": "research",
    "licence": "CC0-1.0",
    "network": {
        "widths": [8, 16, 32, 64],
        "encoder_blocks": [0, 1, 1, 1],
        "ssd_blocks": [1, 1],
        "token_mixer": "ssd",
        "head_width": 16,
        "state_width": 8,
        "chunk_length": 40,
        "head_bias": -2.0,
    },
    "shape": [96, 128, 96],
    "weights": {"file": "own.safetensors", "sha256": "a" * 64},
    "onnx": {
        "file": "own.onnx",
        "sha256": "b" * 64,
        "made_from_sha256": "a" * 64,
        "opset": 20,
    },
    "training": {
        "data": "own cases",
        "procedure": "fine-tuned",
        "configuration": "fine-tune",
        "seed": 1,
        "steps": 100,
        "hours": 1.5,
        "hardware": "a processor",
    },
    "evaluation": {"own cases": "Dice 0.8"},
}
"""A card as it was written by schema 1.0."""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(document: Any) -> Path:
        path = tmp_path / "own.card.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return written


def _changed(document: dict[str, Any], at: str, value: Any) -> dict[str, Any]:
    """Return a copy with another value at a place, given as keys with dots between them."""
    copy = json.loads(json.dumps(document))
    *way, last = at.split(".")
    place = copy
    for key in way:
        place = place[key]
    place[last] = value
    return copy


@pytest.mark.parametrize("name", ["full", "fast"])
def test_a_shipped_card_says_how_its_model_is_run(name: str) -> None:
    card = load_package(name).card
    assert card.task == "tumour"
    assert [channel.modality for channel in card.inputs.channels] == ["t1", "t1c", "t2", "flair"]
    assert not card.inputs.required
    assert card.inputs.spacing_mm == (1.0, 1.0, 1.0)
    assert card.inputs.normaliser == ZScore(percentiles=(0.5, 99.5), remove_shading=True)
    assert card.inference.window == (160, 192, 160)
    assert card.inference.overlap == 0.25
    assert card.inference.importance_map == "triangular"
    assert not card.inference.mirrored_axes


@pytest.mark.parametrize("name", ["full", "fast"])
def test_a_shipped_card_says_what_its_labels_are(name: str) -> None:
    outputs = load_package(name).card.outputs
    assert (outputs.activation, outputs.channels) == ("sigmoid", ("ET", "TC", "WT"))
    assert outputs.nested
    assert [outputs.threshold(region) for region in outputs.scheme.regions] == [0.5, 0.5, 0.5]
    assert (outputs.smallest_lesion_ml, outputs.peak_odds) == (0.05, 20.0)
    assert {label.value: label.name for label in outputs.scheme.labels} == {
        1: "Necrotic core",
        2: "Oedema",
        3: "Enhancing tumour",
    }
    assert outputs.scheme.label(4).identifier == "enhancing_tumour"
    assert [(region.identifier, value) for region, value in outputs.scheme.painted()] == [
        ("WT", 2),
        ("TC", 1),
        ("ET", 3),
    ]


def test_a_card_of_schema_1_0_is_read_as_what_it_meant(write: Write) -> None:
    card = read_card(write(OLDER))
    shipped = load_package("full").card
    assert card.schema_version == "2.0"
    assert card.task == "tumour"
    assert card.inputs == shipped.inputs
    assert card.outputs == shipped.outputs
    assert card.inference == shipped.inference.model_copy(update={"window": (96, 128, 96)})
    assert card.network.model_dump(mode="json") == {"kind": "hybrid", **OLDER["network"]}
    assert card.training.model_dump(mode="json") == OLDER["training"]
    assert card.weights.sha256 == "a" * 64
    assert card.onnx
    assert card.onnx.file == "own.onnx"


@pytest.mark.parametrize("missing", ["shape", "network", "weights", "training"])
def test_a_card_of_schema_1_0_that_lacks_a_part_is_refused(write: Write, missing: str) -> None:
    document = {key: value for key, value in OLDER.items() if key != missing}
    with pytest.raises(ModelError, match=r"not a valid model card: .*: Field required"):
        read_card(write(document))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("network.widths", [1 << 20, 48, 96, 144]),
        ("network.widths", [24, 48, 96, -16]),
        ("network.widths", [24, 48, 96]),
        ("network.encoder_blocks", [1_000_000, 1, 1, 1]),
        ("network.ssd_blocks", [1, 1_000_000]),
        ("network.head_width", 0),
        ("network.head_width", 7),
        ("network.state_width", 1 << 40),
        ("network.chunk_length", 1 << 40),
        ("network.head_bias", 1e300),
        ("network.kind", "transformer"),
        ("inference.window", [1024, 1024, 1024]),
        ("inference.window", [1 << 60, 192, 160]),
        ("inference.window", [0, 192, 160]),
        ("inference.window", [161, 192, 160]),
        ("inference.window", [16, 16, 16]),
        ("inference.overlap", 1.0),
        ("inference.overlap", 0.999999),
        ("inference.mirrored_axes", [0, 0]),
        ("inference.mirrored_axes", [3]),
        ("inputs.spacing_mm", [1.0, 1.0, 0.0]),
        ("inputs.spacing_mm", [1.0, 1.0, 1e9]),
        ("inputs.channels", []),
        ("inputs.channels", [{"modality": "t1"}] * 2),
        ("inputs.channels", [{"modality": "t1"}, {"modality": "any"}]),
        ("inputs.channels", [{"modality": "pet"}]),
        ("inputs.axes", "RAS"),
        ("inputs.availability", False),
        ("inputs.normaliser.percentiles", [99.5, 0.5]),
        ("inputs.normaliser.name", "magic"),
        ("outputs.channels", ["ET", "TC"]),
        ("outputs.channels", ["ET", "TC", "TC"]),
        ("outputs.activation", "softmax"),
        ("outputs.thresholds", {"ET": 0.01}),
        ("outputs.thresholds", {"XX": 0.5}),
        ("outputs.smallest_lesion_ml", -1),
        ("outputs.peak_odds", 0.5),
        ("outputs.scheme.labels", []),
        ("task", "heart"),
        ("schema_version", "3.0"),
        ("name", "../full"),
    ],
)
def test_an_absurd_card_is_refused_in_one_line(write: Write, at: str, value: Any) -> None:
    document = load_package("full").card.model_dump(mode="json")
    assert ModelCard.model_validate(document)
    with pytest.raises(ModelError, match=r"own\.card\.json: not a valid model card: ") as refused:
        read_card(write(_changed(document, at, value)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("at", ["network.head_bias", "inference.overlap", "outputs.peak_odds"])
def test_a_figure_that_is_no_number_is_refused(write: Write, at: str, number: str) -> None:
    document = load_package("full").card.model_dump(mode="json")
    text = json.dumps(_changed(document, at, "HERE")).replace('"HERE"', number)
    with pytest.raises(ModelError, match=f"not a valid model card: {at.split('.')[0]}"):
        read_card(write(text))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"full"', "[" * 10_000, "{}"])
def test_what_is_no_card_is_refused(write: Write, text: str) -> None:
    with pytest.raises(ModelError, match=r"own\.card\.json: not a valid model card: ") as refused:
        read_card(write(text))
    assert "\n" not in str(refused.value)


def _hash_with(at: str, value: Any) -> str:
    document = load_package("full").card.model_dump(mode="json")
    return ModelCard.model_validate(_changed(document, at, value)).network_sha256


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("network.chunk_length", 60),
        ("inputs.channels", [{"modality": "t1c"}, {"modality": "flair"}]),
        ("network", {"kind": "graph"}),
    ],
)
def test_an_engine_hangs_on_what_makes_the_network(at: str, value: Any) -> None:
    assert _hash_with(at, value) != load_package("full").card.network_sha256


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("summary", "another"),
        ("inputs.normaliser.remove_shading", False),
        ("inputs.spacing_mm", [2.0, 2.0, 2.0]),
        ("inference.overlap", 0.5),
        ("inference.importance_map", "gaussian"),
        ("inference.mirrored_axes", [0]),
        ("outputs.thresholds", {"ET": 0.3}),
        ("outputs.peak_odds", 1.0),
        ("outputs.scheme.name", "another"),
    ],
)
def test_an_engine_hangs_on_nothing_else(at: str, value: Any) -> None:
    assert _hash_with(at, value) == load_package("full").card.network_sha256


def test_a_card_without_end_is_not_read(write: Write) -> None:
    with pytest.raises(ModelError, match="too large for a model card"):
        read_card(write(" " * (LARGEST_CARD + 1)))
