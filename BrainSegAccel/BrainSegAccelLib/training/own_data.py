"""A user's own labelled cases as training data, seen as the pipeline sees a patient."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.resampling import resample
from ..geometry.volume import Grid
from ..inference.brain_finder import find_brain
from ..io.hashing import sha256_of
from ..io.labelled import LabelledCase, labelled_cases
from ..io.read import read_study, read_volume
from ..io.read_labels import read_labels
from ..models.tasks import TUMOUR
from ..preprocessing.preprocess import preprocess
from ..study.modality import reference_of
from ..study.regions import Region
from ..study.segmentation import Segmentation
from ..synthesis.rng import Rng
from .config import WHOLE_BRAIN
from .sources import CPU

GRID_TOLERANCE_MM = 0.1
_DARKEST = 0.5
"""What the darkest shown voxel becomes, in standard deviations above 0, which is air."""


@dataclass(frozen=True, eq=False)
class OwnCase:
    """A labelled case of a user at 1 mm; see :class:`~.sources.TrainingCase`."""

    images: Tensor
    regions: Tensor
    mask: Tensor
    voxel: float = 1.0


@dataclass(frozen=True)
class OwnSource:
    """Cases drawn from files with replacement; at least one."""

    cases: Sequence[LabelledCase]
    device: torch.device

    def case(self, number: int) -> OwnCase:
        """Read the case that ``number`` draws."""
        return self.read(Rng(number, CPU).integer(0, len(self.cases) - 1))

    def read(self, index: int) -> OwnCase:
        """Read the case at ``index``.

        :raises InputError: as :func:`read_own_case`.
        """
        return read_own_case(self.cases[index], self.device)


def read_own_case(files: LabelledCase, device: torch.device) -> OwnCase:
    """Read a case and bring it to the 1 mm model grid exactly as inference does.

    :raises InputError: unusable images or labels, or labels that lie on another grid than the
        reference image.
    """
    study = read_study(files.images)
    labels = read_labels(files.labels, TUMOUR.outputs.scheme)
    _check_grid(labels, study.reference_grid, files)
    seen = preprocess(study, TUMOUR.inputs, WHOLE_BRAIN, find_brain=find_brain)
    regions = [
        resample(np.isin(labels.labels, list(r.labels)).astype(np.float32), labels.grid, seen.grid)
        for r in Region
    ]
    x = torch.from_numpy(seen.x[0]).to(device)
    shown = x != 0
    # Samples vary grey scales from zero upwards and normalise again, which undoes this shift.
    lowest = x.flatten(1).amin(dim=1)[:, None, None, None]
    return OwnCase(
        images=(x - lowest + _DARKEST) * shown,
        regions=torch.from_numpy(np.stack([region for region, _ in regions])).to(device),
        mask=shown.any(dim=0),
    )


@dataclass(frozen=True)
class OwnData:
    """All labelled cases of a folder, apart by whether training may see them."""

    training: tuple[LabelledCase, ...]
    held_out: tuple[LabelledCase, ...]

    @property
    def cases(self) -> tuple[LabelledCase, ...]:
        """Training cases, then those held out."""
        return self.training + self.held_out

    def sha256(self) -> str:
        """Hash of names and contents of all files: what ties a run to its data."""
        lines = [
            f"{case.name}\t{role}\t{sha256_of(path)}\n"
            for case in self.cases
            for role, path in (*case.images.items(), ("labels", case.labels))
        ]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def check(self) -> None:
        """Read what is wrong most often, before hours are spent: all labels and their grids.

        :raises InputError: of the first case that cannot be used.
        """
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(_check_labels, self.cases):
                pass


def open_own_data(folder: Path, held_out_share: float) -> OwnData:
    """Find the labelled cases of a folder.

    Which are held out is decided by the hash of the name of each patient's folder, the one
    directly below ``folder``: all cases of a patient stay together, and nothing changes when
    others are added. The share is met on average.

    :raises InputError: as `labelled_cases`; no case is left to train on.
    """
    cases = labelled_cases(folder)
    training: list[LabelledCase] = []
    held_out: list[LabelledCase] = []
    for case in cases:
        patient = case.labels.relative_to(folder).parts[0]
        (held_out if _position(patient) < held_out_share else training).append(case)
    if not training:
        raise InputError(
            f"all {len(cases)} cases are held out for validation",
            where=str(folder),
            remedy="add cases, or lower held_out_share in the training configuration",
        )
    return OwnData(tuple(training), tuple(held_out))


def _position(name: str) -> float:
    """A number in [0, 1) that only depends on ``name``."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _check_labels(files: LabelledCase) -> None:
    reference = read_volume(files.images[reference_of(files.images)])
    _check_grid(read_labels(files.labels, TUMOUR.outputs.scheme), reference.grid, files)


def _check_grid(labels: Segmentation, reference: Grid, files: LabelledCase) -> None:
    if labels.grid.same_as(reference, GRID_TOLERANCE_MM):
        return
    label = reference_of(files.images).label
    raise InputError(
        f"does not lie on the grid of {label} ({files.images[reference_of(files.images)].name}): "
        f"{labels.grid.shape[::-1]} voxels against {reference.shape[::-1]}, or moved",
        where=str(files.labels),
        remedy=f"resample the labels onto {label} with nearest neighbours",
    )
