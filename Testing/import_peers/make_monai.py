"""Writes archives in the layouts that MONAI publishes, with MONAI's own classes.

    python make_monai.py FOLDER

leaves in FOLDER:

    exports/bundle.zip             the layout of brats_mri_segmentation, a small trained network
    exports/bundle-torchscript.zip the same with models/model.ts alone
    exports/bundle-published.zip   the layout with its sizes as published, random weights
    exports/auto3dseg.zip          model.pt and labels.csv, four sequences, nested regions
    exports/auto3dseg-softmax.zip  classes that exclude each other, resampled to 1.5 mm
    volumes/                       volumes that no training has seen: CASE_SEQUENCE.nii.gz
    predictions/NAME/              their labels by the bundle's own workflow, and by the recipe of
                                   Auto3DSeg's template (auto3dseg.py)
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import auto3dseg
import monai_bundle
import numpy as np
import SimpleITK as sitk
import torch
from monai.losses import DiceCELoss, DiceLoss
from monai.networks.nets import SegResNet, SegResNetDS
from nnunet_tasks import VOLUMES
from peer_phantoms import ENHANCING, NECROSIS, OEDEMA, Shape, make_case

SEED = 20240
BUNDLE_SEQUENCES = ("t1c", "t1", "t2", "flair")
REGIONS = {
    "tc": (NECROSIS, ENHANCING),
    "wt": (OEDEMA, NECROSIS, ENHANCING),
    "et": (ENHANCING,),
}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    for name in ("exports", "volumes", "predictions"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, shape in enumerate(VOLUMES):
        for sequence, image in make_case(2000 + number, shape).images.items():
            file = folder / "volumes" / f"volume{number:02d}_{sequence}.nii.gz"
            sitk.WriteImage(image, file, True)
    _make_bundles(folder)
    _make_auto3dseg(folder)


def _make_bundles(folder: Path) -> None:
    small = _network(monai_bundle.network(monai_bundle.SMALL["init_filters"]))
    _train(small, BUNDLE_SEQUENCES, _regions("tc", "wt", "et"), DiceLoss(sigmoid=True))
    scripted = torch.jit.script(small.eval())
    published = _network(monai_bundle.network(monai_bundle.PUBLISHED["init_filters"]))
    exports = folder / "exports"
    _write_bundle(exports / "bundle.zip", monai_bundle.SMALL, "model.pt", small)
    _write_bundle(exports / "bundle-torchscript.zip", monai_bundle.SMALL, "model.ts", scripted)
    _write_bundle(exports / "bundle-published.zip", monai_bundle.PUBLISHED, "model.pt", published)
    _predict_with_bundle(exports / "bundle.zip", folder)


def _make_auto3dseg(folder: Path) -> None:
    size = {"init_filters": 8, "blocks_down": (1, 1, 1), "roi_size": (32, 32, 24)}
    nested = auto3dseg.config(**size, **auto3dseg.BRATS_CLASSES)
    exclusive = auto3dseg.config(
        **size,
        channels=2,
        classes=4,
        sigmoid=False,
        resample=True,
        resample_resolution=[1.5, 1.5, 1.5],
        normalize_mode="meanstdtanh",
        class_names=["necrosis", "oedema", "enhancing"],
        class_index=None,
    )
    one_hot = _one_hot((OEDEMA, NECROSIS, ENHANCING), order=(2, 1, 3))
    cases = (
        (
            "auto3dseg",
            nested,
            auto3dseg.BRATS_SEQUENCES,
            _regions("wt", "tc", "et"),
            DiceLoss(sigmoid=True),
        ),
        ("auto3dseg-softmax", exclusive, ("t1c", "flair"), one_hot, DiceCELoss(softmax=True)),
    )
    for name, settings, sequences, target, loss in cases:
        network = _network(settings["network"])
        _train(network, sequences, target, loss)
        archive = folder / "exports" / f"{name}.zip"
        _write_auto3dseg(archive, settings, network)
        _predict_with_auto3dseg(archive, sequences, folder)


def _network(definition: dict[str, Any]) -> torch.nn.Module:
    torch.manual_seed(SEED)
    kinds = {"SegResNet": SegResNet, "SegResNetDS": SegResNetDS}
    arguments = {key: value for key, value in definition.items() if key != "_target_"}
    return kinds[definition["_target_"]](**arguments)


def _train(
    network: torch.nn.Module,
    sequences: tuple[str, ...],
    target: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    loss: torch.nn.Module,
    iterations: int = 20,
) -> None:
    """Learns phantoms of 32³ voxels of 1 mm, axes (i, j, k)."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    network.train()
    for iteration in range(iterations):
        case = make_case(3000 + iteration % 8, Shape((32, 32, 32), (1.0, 1.0, 1.0)), sequences)
        stack = [sitk.GetArrayFromImage(image).T for image in case.images.values()]
        x = torch.from_numpy(np.stack([_normalised(each) for each in stack]))[None]
        y = torch.from_numpy(target(sitk.GetArrayFromImage(case.tissue).T).astype(np.float32))
        output = network(x)
        output = output[0] if isinstance(output, list | tuple) else output
        optimiser.zero_grad()
        loss(output, y[None]).backward()
        optimiser.step()


def _normalised(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    voxels = image.astype(np.float32)
    inside = voxels != 0
    voxels[inside] = (voxels[inside] - voxels[inside].mean()) / voxels[inside].std()
    return voxels


def _regions(*names: str) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    return lambda tissue: np.stack([np.isin(tissue, REGIONS[name]) for name in names])


def _one_hot(
    tissues: tuple[int, ...], order: tuple[int, ...]
) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    def target(tissue: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        labels = np.zeros(tissue.shape, np.uint8)
        for kind, label in zip(tissues, order, strict=True):
            labels[tissue == kind] = label
        return np.stack([labels == label for label in range(len(tissues) + 1)])

    return target


def _write_bundle(
    archive: Path, sizes: dict[str, Any], weights: str, network: torch.nn.Module
) -> None:
    root = "brats_mri_segmentation"
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / weights
        if weights.endswith(".ts"):
            torch.jit.save(network, file)
        else:
            torch.save(network.state_dict(), file)
        with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
            zipped.write(file, f"{root}/models/{weights}")
            for name, content in (
                ("metadata", monai_bundle.metadata()),
                ("inference", monai_bundle.inference(**sizes)),
            ):
                zipped.writestr(f"{root}/configs/{name}.json", json.dumps(content, indent=4))


def _write_auto3dseg(archive: Path, settings: dict[str, Any], network: torch.nn.Module) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "model.pt"
        content = {"state_dict": network.state_dict(), "config": settings}
        torch.save({**content, "epoch": 299, "best_metric": 0.9}, file)
        with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
            zipped.write(file, "model.pt")
            zipped.writestr("labels.csv", auto3dseg.labels_csv())


def _files(folder: Path, number: int, sequences: tuple[str, ...]) -> list[str]:
    return [str(folder / "volumes" / f"volume{number:02d}_{each}.nii.gz") for each in sequences]


def _predict_with_bundle(archive: Path, folder: Path) -> None:
    """Runs the bundle's own inference workflow, one case at a time, up to the saving.

    MONAI 1.6 refuses to save a volume whose axes are not in the order of its world's.
    """
    from monai.bundle import ConfigWorkflow

    output = folder / "predictions" / archive.stem
    output.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        with ZipFile(archive) as zipped:
            zipped.extractall(place)
        root = Path(place) / "brats_mri_segmentation"
        for number in range(len(VOLUMES)):
            files = _files(folder, number, BUNDLE_SEQUENCES)
            workflow = ConfigWorkflow(
                config_file=str(root / "configs" / "inference.json"),
                meta_file=str(root / "configs" / "metadata.json"),
                workflow_type="infer",
                bundle_root=str(root),
                test_datalist=[{"image": files}],
                **{
                    "evaluator#amp": False,
                    "dataloader#num_workers": 0,
                    "postprocessing#transforms#4#_disabled_": True,
                },
            )
            workflow.initialize()
            workflow.run()
            prediction = workflow.evaluator.state.output[0]["pred"]
            labels = np.asarray(prediction)[0].astype(np.uint8)
            _save_like(labels, files[0], output / f"volume{number:02d}.nii.gz")


def _predict_with_auto3dseg(archive: Path, sequences: tuple[str, ...], folder: Path) -> None:
    output = folder / "predictions" / archive.stem
    output.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        with ZipFile(archive) as zipped:
            model = Path(zipped.extract("model.pt", place))
        for number in range(len(VOLUMES)):
            files = _files(folder, number, sequences)
            labels = auto3dseg.predict(model, files)
            _save_like(labels, files[0], output / f"volume{number:02d}.nii.gz")


def _save_like(labels: np.ndarray[Any, Any], file: str, output: Path) -> None:
    """Labels [i, j, k] on the grid of the file."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.T))
    image.CopyInformation(sitk.ReadImage(file))
    sitk.WriteImage(image, output, True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
