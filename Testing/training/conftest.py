"""Labelled cases of a user, small enough to be read in no time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk


@pytest.fixture(scope="session")
def small_brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms of a quarter of the size: made in 4 mm voxels, written as if of 1 mm."""
    pytest.importorskip("nilearn")
    from BrainSegAccelLib.cli.phantom import write_case
    from BrainSegAccelLib.synthesis.cases import CaseGenerator
    from BrainSegAccelLib.synthesis.lesions import CaseKind

    folder = tmp_path_factory.mktemp("own")
    generator = CaseGenerator(4.0)
    for index, kind in enumerate((CaseKind.RING, CaseKind.SOLID, CaseKind.NONE)):
        (folder / f"case-{index}").mkdir()
        write_case(replace(generator.generate(index, kind), voxel=1.0), folder / f"case-{index}")
    return folder


def copy_case(case: Path, folder: Path) -> Path:
    """Copy a case's files into a new folder and return that."""
    folder.mkdir(parents=True)
    for file in case.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def rewrite_labels(case: Path, change: dict[int, int], shift_mm: float = 0.0) -> None:
    """Give labels other values, and move all of them."""
    path = str(case / "seg.nii.gz")
    image = sitk.ReadImage(path)
    array = sitk.GetArrayFromImage(image)
    changed = sitk.GetImageFromArray(
        np.vectorize(lambda value: change.get(value, value), otypes=[np.uint8])(array)
    )
    changed.CopyInformation(image)
    changed.SetOrigin([position + shift_mm for position in image.GetOrigin()])
    sitk.WriteImage(changed, path, True)
