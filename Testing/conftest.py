"""Fixtures shared by all tests: a tiny model on disk and small head-like volumes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.models.description import Outputs
from BrainSegAccelLib.models.package import ModelPackage, load_package
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study

TINY_SHAPE = (32, 48, 32)


def write_tiny_model(
    folder: Path,
    seed: int = 0,
    shape: tuple[int, int, int] = TINY_SHAPE,
    outputs: Outputs | None = None,
) -> Path:
    """Write weights, card and ONNX export of a small untrained network; returns the card's path.

    :param outputs: default: those of the tumour models.
    """
    import torch
    from BrainSegAccelLib.models.card import FileRecord, ModelCard, TrainingRecord
    from BrainSegAccelLib.models.config import HybridConfig
    from BrainSegAccelLib.models.description import Inference
    from BrainSegAccelLib.models.export import export_onnx, write_card
    from BrainSegAccelLib.models.hybrid import HybridNetwork
    from BrainSegAccelLib.models.tasks import TUMOUR
    from safetensors.torch import save

    config = HybridConfig(
        widths=(8, 8, 16, 16),
        encoder_blocks=(1, 1, 1, 1),
        ssd_blocks=(1, 1),
        head_width=8,
        state_width=4,
        chunk_length=24,
        head_bias=0.0,
    )
    torch.manual_seed(seed)
    outputs = outputs or TUMOUR.outputs
    network = HybridNetwork(config, 4, len(outputs.channels))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.2)
    content = save({key: tensor.contiguous() for key, tensor in network.state_dict().items()})
    (folder / "tiny.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    card = ModelCard(
        name="tiny",
        version="0",
        summary="untrained, for tests",
        intended_use="tests",
        licence="Apache-2.0",
        task=TUMOUR.name,
        inputs=TUMOUR.inputs,
        network=config,
        inference=Inference(window=shape),
        outputs=outputs,
        weights=FileRecord(file="tiny.safetensors", sha256=digest),
        training=TrainingRecord(
            data="none",
            procedure="none",
            configuration="none",
            seed=seed,
            steps=0,
            hours=0.0,
            hardware="none",
        ),
    )
    path = write_card(card, folder)
    export_onnx(load_package(path))
    return path


@pytest.fixture(scope="session")
def tiny_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the card of a tiny untrained model. Read-only: copy its folder to change it."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def tiny_package(tiny_card: Path) -> ModelPackage:
    return load_package(tiny_card)


@pytest.fixture(scope="session")
def postoperative_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the card of a tiny model with four labels of other names, one a region by itself."""
    from label_schemes import POSTOPERATIVE

    return write_tiny_model(tmp_path_factory.mktemp("postoperative"), outputs=POSTOPERATIVE)


@pytest.fixture(scope="session")
def softmax_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the card of a tiny model that says one of five labels, background included."""
    from label_schemes import SOFTMAX

    return write_tiny_model(tmp_path_factory.mktemp("softmax"), outputs=SOFTMAX)


@pytest.fixture(scope="session")
def quantised_package(tiny_card: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """The tiny model with an INT8 export beside its FP32 one, calibrated on noise."""
    pytest.importorskip("nncf", reason="INT8 exports are made with the int8 extra")
    from BrainSegAccelLib.backends.openvino import run_export
    from BrainSegAccelLib.models.calibration import calibration_of
    from BrainSegAccelLib.models.quantise import export_quantised

    folder = tmp_path_factory.mktemp("int8-model")
    shutil.copytree(tiny_card.parent, folder, dirs_exist_ok=True)
    package = load_package(folder / tiny_card.name)
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(2, 1, 4, *package.card.inference.window)).astype(np.float32)
    calibration = calibration_of([(x, np.ones((1, 4), np.float32)) for x in noise])
    export_quantised(package, calibration, run_export, largest_loss=1.0)
    return load_package(folder / tiny_card.name)


@pytest.fixture
def engine_cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache")


def head(
    shape: tuple[int, int, int] = (30, 40, 28),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    seed: int = 0,
    name: str = "head.nii.gz",
) -> Volume:
    """Return an ellipsoid of smooth positive values on zero background, axes along L, P, S.

    :param shape: (k, j, i).
    :param spacing: (i, j, k) in mm.
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.8
    values = 100.0 + 40.0 * np.cos(2 * x + seed) * np.cos(2 * y) + rng.normal(0, 1, shape)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-10.0, 5.0, 20.0)
    return Volume(np.where(inside, values, 0).astype(np.float32), affine, name)


@pytest.fixture
def four_modalities() -> Study:
    """A study of all four modalities on one 1 mm grid."""
    return Study({m: head(seed=m.channel, name=f"{m}.nii.gz") for m in Modality})


@pytest.fixture
def write_case() -> Callable[..., Path]:
    """Write a labelled case: heads as MODALITY.nii.gz and, on their grid, labels as seg.nii.gz."""
    import SimpleITK as sitk
    from BrainSegAccelLib.geometry.resampling import to_image

    def write(
        folder: Path, labels: np.ndarray, modalities: Collection[Modality] = tuple(Modality)
    ) -> Path:
        folder.mkdir(parents=True)
        volumes = {modality: head(labels.shape, seed=modality.channel) for modality in modalities}
        for modality, volume in volumes.items():
            path = folder / f"{modality}.nii.gz"
            sitk.WriteImage(to_image(volume.array, volume.grid), str(path))
        sitk.WriteImage(to_image(labels, volume.grid), str(folder / "seg.nii.gz"))
        return folder

    return write
