from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from BrainSegAccelLib.errors import InputError, ModelError
from BrainSegAccelLib.models.networks import load_network
from BrainSegAccelLib.models.package import load_package, shipped_models
from BrainSegAccelLib.models.weights import load_into, parse_weights
from safetensors.torch import load, save


@pytest.fixture
def model(tiny_card: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage; path of its card."""
    return Path(shutil.copytree(tiny_card.parent, tmp_path / "model")) / tiny_card.name


def _with_weights(card: Path, content: bytes) -> Path:
    """Replace the weights and make the card's hash fit, so that later checks are reached."""
    import hashlib

    (card.parent / "tiny.safetensors").write_bytes(content)
    document = json.loads(card.read_text())
    document["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    card.write_text(json.dumps(document))
    return card


def test_whole_files_load(model: Path) -> None:
    network = load_network(load_package(model))
    assert not network.training


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.onnx"])
def test_another_hash_is_refused(model: Path, name: str) -> None:
    path = model.parent / name
    path.write_bytes(path.read_bytes() + b"\0")
    package = load_package(model)
    with pytest.raises(ModelError, match=f"{name}: SHA-256 is .* the model card says"):
        package.weights() if name.endswith("safetensors") else package.onnx()


def test_a_truncated_file_is_refused(model: Path) -> None:
    whole = (model.parent / "tiny.safetensors").read_bytes()
    for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            parse_weights(whole[:length], "tiny.safetensors")


@pytest.mark.parametrize("length", [0x80, 0x280, 0x480])
def test_a_header_as_long_as_a_pickle_begins_is_read(length: int) -> None:
    bare = save({"weight": torch.ones(2)})
    header = bare[8 : 8 + int.from_bytes(bare[:8], "little")].ljust(length)
    padded = length.to_bytes(8, "little") + header + bare[-8:]
    assert padded.startswith(b"\x80")
    assert torch.equal(parse_weights(padded, "tiny.safetensors")["weight"], torch.ones(2))


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_is_never_opened(model: Path, protocol: int) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (pytest.fail, ("the pickle was opened",))

    _with_weights(model, pickle.dumps(Trap(), protocol))
    with pytest.raises(ModelError, match="is a pickle"):
        load_network(load_package(model))


def test_a_torch_archive_is_never_opened(model: Path) -> None:
    path = model.parent / "tiny.safetensors"
    torch.save({"weight": torch.ones(2)}, path)
    _with_weights(model, path.read_bytes())
    with pytest.raises(ModelError, match="is a pickle or zip"):
        load_network(load_package(model))


def test_missing_and_unknown_keys_are_named(model: Path) -> None:
    tensors = load((model.parent / "tiny.safetensors").read_bytes())
    tensors["stem.extra"] = tensors.pop("stem.weight")
    _with_weights(model, save(tensors))
    with pytest.raises(ModelError, match=r"1 missing \(stem.weight, …\) and 1 unknown"):
        load_network(load_package(model))


def test_another_shape_is_named(model: Path) -> None:
    network = load_network(load_package(model))
    tensors = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    tensors["head.bias"] = torch.zeros(5)
    with pytest.raises(ModelError, match=r"head.bias has shape \[5\], the network expects \[24\]"):
        load_into(network, tensors, "tiny.safetensors")


def test_an_export_of_other_weights_is_refused(model: Path) -> None:
    document = json.loads(model.read_text())
    document["onnx"]["made_from_sha256"] = "0" * 64
    model.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="made from other weights"):
        load_package(model).onnx()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"licence": None}, "licence"),
        ({"weights": {"file": "../../etc/passwd", "sha256": "0" * 64}}, "weights.file"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_card_that_is_not_one_is_refused(model: Path, change: dict, named: str) -> None:
    document = json.loads(model.read_text()) | change
    model.write_text(json.dumps(document))
    with pytest.raises(ModelError, match=f"not a valid model card: {named}"):
        load_package(model)


def test_a_model_is_given_by_its_card_or_its_folder(model: Path) -> None:
    for given in (model, str(model), model.parent):
        package = load_package(given)
        assert package.card.name == "tiny"
        assert package.folder == model.parent


def test_unknown_names_and_missing_cards_are_answered_with_those_that_ship(tmp_path: Path) -> None:
    shipped = ", ".join(shipped_models())
    for given in ("none", tmp_path / "none.card.json"):
        with pytest.raises(InputError, match=f"no model named .*none.*; give one of {shipped},"):
            load_package(given)


def test_a_folder_needs_one_clear_card(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: folder with no model cards; give the path of"):
        load_package(tmp_path / "empty")
    shutil.copy(model, model.with_name("other.card.json"))
    with pytest.raises(InputError, match="folder with 2 model cards"):
        load_package(model.parent)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_files_are_whole_and_small(name: str) -> None:
    package = load_package(name)
    assert package.card.name == name
    assert len(package.weights()) <= 20e6
    assert len(package.onnx().graph) <= 1e6
    assert "not a medical device" in package.card.intended_use.lower()
