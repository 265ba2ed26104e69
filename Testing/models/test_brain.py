"""The brain network: shapes, the shipped files, and that nothing else is opened in their place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import ModelError
from BrainSegAccelLib.models.brain_card import CARD, BrainNetworkConfig, load_brain_package
from BrainSegAccelLib.resources import resource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource("BrainNetwork"), tmp_path / "brain"))


def test_the_shipped_files_are_small_and_whole() -> None:
    package = load_brain_package()
    for content in (package.weights(), package.onnx()):
        assert 10_000 < len(content) < 1_000_000


def test_the_shipped_export_is_the_network() -> None:
    torch = pytest.importorskip("torch")
    import onnxruntime
    from BrainSegAccelLib.models.brain import BrainNetwork, BrainProbability
    from BrainSegAccelLib.models.weights import parse_weights

    package = load_brain_package()
    network = BrainNetwork(package.card.network)
    tensors = parse_weights(package.weights(), package.card.weights.file)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    x = torch.rand(1, 1, *package.card.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = BrainProbability(network).eval()(x).numpy()
    session = onnxruntime.InferenceSession(package.onnx())
    found = session.run(None, {"x": x.numpy()})[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_every_input_voxel_gets_a_logit() -> None:
    torch = pytest.importorskip("torch")
    from BrainSegAccelLib.models.brain import BrainNetwork

    network = BrainNetwork(BrainNetworkConfig(widths=(4, 4, 8, 8)))
    assert network(torch.rand(2, 1, 32, 48, 16)).shape == (2, 1, 32, 48, 16)


def test_a_changed_export_is_refused(folder: Path) -> None:
    content = bytearray((folder / "brain.onnx").read_bytes())
    content[1000] ^= 1
    (folder / "brain.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"brain\.onnx: SHA-256 is"):
        load_brain_package(folder).onnx()


def test_an_export_of_other_weights_is_refused(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    card["weights"]["sha256"] = "0" * 64
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelError, match="made from other weights"):
        load_brain_package(folder).onnx()


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_missing_or_invalid_card_is_refused(folder: Path, content: str | None) -> None:
    (folder / CARD).unlink()
    if content is not None:
        (folder / CARD).write_text(content)
    with pytest.raises(ModelError, match=r"brain\.card\.json"):
        load_brain_package(folder)
