"""The artefacts are what the tests of the import take them for."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import SimpleITK as sitk
from nnunet_tasks import TRAININGS, VOLUMES

pytestmark = pytest.mark.slow


def _labels(folder: Path) -> list[set[int]]:
    return [
        set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(file))).tolist())
        for file in sorted(folder.glob("*.nii.gz"))
    ]


@pytest.mark.parametrize("training", TRAININGS, ids=lambda each: each.name)
def test_nnunet_exports_each_fold_with_plans_and_data_set(nnunet_peers, training):
    with ZipFile(nnunet_peers / "exports" / f"{training.name}.zip") as archive:
        names = archive.namelist()

    root = f"{training.task.dataset}/nnUNetTrainer__{training.plans}__{training.configuration}"
    assert {f"{root}/plans.json", f"{root}/dataset.json"} <= set(names)
    checkpoints = [f"{root}/fold_{fold}/checkpoint_final.pth" for fold in training.folds]
    assert [name for name in names if name.endswith(".pth")] == checkpoints


@pytest.mark.parametrize("training", TRAININGS, ids=lambda each: each.name)
def test_nnunet_has_learned_each_label(nnunet_peers, training):
    found = _labels(nnunet_peers / "predictions" / training.name)

    assert len(found) == len(VOLUMES[:: training.every])
    expected = set(training.task.label_of_tissue)
    assert sum(each == expected for each in found) >= 0.8 * len(found)


@pytest.mark.parametrize("name", ["bundle", "auto3dseg", "auto3dseg-softmax"])
def test_monai_has_learned_each_label(monai_peers, name):
    found = _labels(monai_peers / "predictions" / name)

    assert len(found) == len(VOLUMES)
    expected = {0, 1, 2, 4} if name == "bundle" else {0, 1, 2, 3}
    assert sum(each == expected for each in found) >= 0.8 * len(found)
