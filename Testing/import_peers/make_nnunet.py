"""Trains small networks with nnU-Net's own tools on phantoms, and exports them by its own export.

    python make_nnunet.py FOLDER

leaves in FOLDER:

    exports/NAME.zip          what `nnUNetv2_export_model_to_zip` makes of each training below
    exports/labels-old.zip    `labels` with its plans in the layout of nnU-Net 2.0 to 2.3
    volumes/NAME/             volumes that no training has seen, named as nnU-Net wants them
    predictions/NAME/         their labels from nnUNetPredictor without mirroring
    predictions/NAME-mirrored/   and with it, for the first of them
    nnunet/                   nnU-Net's own folders: raw data, preprocessed, results

Nothing is random from one run to the next.

    python make_nnunet.py FOLDER --full-size

adds, after that, FOLDER/full-size: a trained-model folder as nnU-Net plans it for BraTS (32 to 320
features, windows of 128 x 160 x 112), whose checkpoint its trainer has written before any training.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from itertools import groupby
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import nnunet_tasks as tasks
import numpy as np
import SimpleITK as sitk
from nnunet_tasks import Task, Training
from old_plans import old_layout

SEED = 20240
LEARNING_RATE = 5e-3
# Mirroring takes up to eight times as long.
MIRRORED = 2


def main(folder: Path) -> None:
    _set_up(folder)
    for task in tasks.TASKS:
        _write_training_cases(task, folder)
        _write_volumes(task, folder)
        _plan(task)
    for training in tasks.TRAININGS:
        _preprocess(training)
        for fold in training.folds:
            _train(training, fold)
        _export(training, folder)
        _predict(training, folder)
    _export_with_old_plans(folder)


def _set_up(folder: Path) -> None:
    """nnU-Net's folders and its numbers of processes. It reads them when it is imported."""
    for variable, name in (
        ("raw", "raw"),
        ("preprocessed", "preprocessed"),
        ("results", "results"),
    ):
        place = folder / "nnunet" / name
        place.mkdir(parents=True, exist_ok=True)
        _set(variable, place)
    _set("n_proc_DA", 1)
    _set("def_n_proc", 1)
    multiprocessing.get_context = lambda method=None: _Threads()  # type: ignore[assignment]


def _set(variable: str, value: object) -> None:
    os.environ[f"nnUNet_{variable}"] = str(value)


class _Threads:
    """Has nnU-Net's pools be threads: its processes would take seconds each to import PyTorch."""

    @staticmethod
    def Pool(processes: int | None = None) -> ThreadPool:
        return ThreadPool(1)


def _write_training_cases(task: Task, folder: Path) -> None:
    from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json

    base = folder / "nnunet" / "raw" / task.dataset
    (base / "imagesTr").mkdir(parents=True, exist_ok=True)
    (base / "labelsTr").mkdir(exist_ok=True)
    for number in range(task.cases):
        name = f"case{number:02d}"
        case = task.training_case(number)
        _write_images(case.images, base / "imagesTr", name)
        labels = np.asarray(task.label_of_tissue, np.uint8)[sitk.GetArrayFromImage(case.tissue)]
        image = sitk.GetImageFromArray(labels)
        image.CopyInformation(case.tissue)
        sitk.WriteImage(image, base / "labelsTr" / f"{name}.nii.gz", True)
    generate_dataset_json(
        str(base),
        channel_names=dict(enumerate(task.channel_names)),
        labels=task.labels,
        num_training_cases=task.cases,
        file_ending=".nii.gz",
        regions_class_order=task.regions_class_order,
    )


def _write_images(images: dict[str, sitk.Image], place: Path, name: str) -> None:
    for channel, image in enumerate(images.values()):
        sitk.WriteImage(image, place / f"{name}_{channel:04d}.nii.gz", True)


def _write_volumes(task: Task, folder: Path) -> None:
    place = folder / "volumes" / task.name
    place.mkdir(parents=True, exist_ok=True)
    for number, shape in enumerate(tasks.VOLUMES):
        _write_images(task.case(1000 + number, shape).images, place, f"volume{number:02d}")


def _plan(task: Task) -> None:
    """Fingerprint and plans of nnU-Net, its networks made small in the file, as its manual says."""
    from batchgenerators.utilities.file_and_folder_operations import load_json, save_json
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
        DatasetFingerprintExtractor,
    )
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
        residual_encoder_unet_planners as residual,
    )
    from nnunetv2.paths import nnUNet_preprocessed

    fingerprint = DatasetFingerprintExtractor(task.number, num_processes=1)
    # It would draw 20 million voxels of each channel of each of these small cases.
    fingerprint.num_foreground_voxels_for_intensitystats = 1e5
    fingerprint.run(overwrite_existing=True)
    planners: list[dict[str, Any]] = [{}]
    if any(each.task is task and each.plans != "nnUNetPlans" for each in tasks.TRAININGS):
        planners.append({"experiment_planner_class": residual.nnUNetPlannerResEncM})
    for options in planners:
        _, name = api.plan_experiment_dataset(task.number, **options)
        file = Path(nnUNet_preprocessed) / task.dataset / f"{name}.json"
        plans = load_json(str(file))
        task.make_small(plans)
        save_json(plans, str(file), sort_keys=False)


def _preprocess(training: Training) -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset

    preprocess_dataset(
        training.task.number, training.plans, (training.configuration,), num_processes=(1,)
    )


def _train(training: Training, fold: int) -> None:
    """nnUNetTrainer with few short epochs of Adam and no augmentation, then its validation.

    Its own optimiser is for long trainings, and augmentation takes longer than all the rest.
    nnU-Net has a trainer without it, but looks for any trainer except the default one by importing
    every module it has, for which not all may be there.
    """
    import random

    import torch
    from nnunetv2.run.run_training import get_trainer_from_args
    from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoDA import (
        nnUNetTrainerNoDA,
    )

    # Batches are made in this process, so that they follow the seeds. Planning wants one at least.
    _set("n_proc_DA", 0)
    random.seed(SEED + fold)
    np.random.seed(SEED + fold)
    torch.manual_seed(SEED + fold)
    torch.set_num_threads(1)
    trainer = get_trainer_from_args(
        training.task.dataset,
        training.configuration,
        fold,
        plans_identifier=training.plans,
        device=torch.device("cpu"),
    )
    trainer.num_epochs = training.epochs
    trainer.num_iterations_per_epoch = training.iterations
    trainer.num_val_iterations_per_epoch = 1
    trainer.get_training_transforms = nnUNetTrainerNoDA.get_training_transforms
    trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size = lambda: (
        (0, 0),
        False,
        trainer.configuration_manager.patch_size,
        None,
    )
    trainer.configure_optimizers = lambda: _adam(trainer)
    trainer.inference_allowed_mirroring_axes = training.mirroring_axes
    trainer.run_training()
    trainer.perform_actual_validation()


def _adam(trainer: Any) -> tuple[Any, Any]:
    import torch
    from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

    optimiser = torch.optim.Adam(trainer.network.parameters(), LEARNING_RATE)
    return optimiser, PolyLRScheduler(optimiser, LEARNING_RATE, trainer.num_epochs)


def _export(training: Training, folder: Path) -> None:
    from nnunetv2.model_sharing.model_export import export_pretrained_model

    place = folder / "exports"
    place.mkdir(exist_ok=True)
    export_pretrained_model(
        training.task.number,
        str(place / f"{training.name}.zip"),
        configurations=(training.configuration,),
        plans_identifier=training.plans,
        folds=training.folds,
    )


def _predict(training: Training, folder: Path) -> None:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    volumes = sorted((folder / "volumes" / training.task.name).iterdir())
    cases = [
        [str(file) for file in files]
        for _, files in groupby(volumes, key=lambda file: file.name.split("_")[0])
    ]
    for suffix, mirrored in (("", False), ("-mirrored", True)):
        if mirrored and not training.mirroring_axes:
            continue
        place = folder / "predictions" / f"{training.name}{suffix}"
        place.mkdir(parents=True, exist_ok=True)
        chosen = cases[:MIRRORED] if mirrored else cases[:: training.every]
        predictor = nnUNetPredictor(
            use_mirroring=mirrored, device=torch.device("cpu"), allow_tqdm=False
        )
        predictor.initialize_from_trained_model_folder(_model(training, folder), training.folds)
        outputs = [str(place / Path(files[0]).name.split("_")[0]) for files in chosen]
        predictor.predict_from_files_sequential(chosen, outputs)


def _model(training: Training, folder: Path) -> str:
    name = f"nnUNetTrainer__{training.plans}__{training.configuration}"
    return str(folder / "nnunet" / "results" / training.task.dataset / name)


def _export_with_old_plans(folder: Path) -> None:
    """The zip of `labels` with plans as nnU-Net wrote them up to 2.3."""
    import json
    from zipfile import ZIP_DEFLATED, ZipFile

    exports = folder / "exports"
    with (
        ZipFile(exports / "labels.zip") as new,
        ZipFile(exports / "labels-old.zip", "w", ZIP_DEFLATED) as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name.endswith("plans.json"):
                content = json.dumps(old_layout(json.loads(content)), indent=2).encode()
            old.writestr(name, content)


def write_full_size(folder: Path) -> None:
    import json
    import shutil

    import torch
    from nnunetv2.paths import nnUNet_preprocessed
    from nnunetv2.run.run_training import get_trainer_from_args

    _set_up(folder)
    place = folder / "full-size"
    (place / "fold_0").mkdir(parents=True, exist_ok=True)
    task = tasks.REGIONS
    base = Path(nnUNet_preprocessed) / task.dataset
    plans = json.loads((base / "nnUNetPlans.json").read_text())
    plans["plans_name"] = "nnUNetPlansFullSize"
    tasks.make_full_size(plans)
    (base / "nnUNetPlansFullSize.json").write_text(json.dumps(plans, indent=4))
    torch.manual_seed(SEED)
    trainer = get_trainer_from_args(
        task.dataset,
        "3d_fullres",
        0,
        plans_identifier="nnUNetPlansFullSize",
        device=torch.device("cpu"),
    )
    trainer.initialize()
    trainer.inference_allowed_mirroring_axes = (0, 1, 2)
    trainer.save_checkpoint(str(place / "fold_0" / "checkpoint_final.pth"))
    (place / "plans.json").write_text(json.dumps(plans, indent=4))
    shutil.copy(base / "dataset.json", place / "dataset.json")


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    if "--full-size" in sys.argv[2:]:
        write_full_size(place)
    else:
        main(place)
