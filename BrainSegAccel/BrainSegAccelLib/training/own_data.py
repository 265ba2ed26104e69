"""A user's own labelled cases: which there are, and which of them training may see."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..geometry.volume import Grid
from ..io.hashing import sha256_of
from ..io.labelled import GRID_TOLERANCE_MM, LabelledCase, labelled_cases
from ..io.read import read_volume
from ..io.read_labels import read_labels
from ..models.tasks import TUMOUR
from ..study.modality import reference_of
from ..study.segmentation import Segmentation


@dataclass(frozen=True)
class OwnData:
    """All labelled cases of a folder, apart by whether training may see them."""

    training: tuple[LabelledCase, ...]
    held_out: tuple[LabelledCase, ...]
    _digests: dict[Path, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cases(self) -> tuple[LabelledCase, ...]:
        """Training cases, then those held out."""
        return self.training + self.held_out

    def sha256(self) -> str:
        """Hash of names and contents of all files: what ties a run to its data."""
        lines = [
            f"{case.name}\t{role}\t{self.digest(path)}\n"
            for case in self.cases
            for role, path in (*case.images.items(), ("labels", case.labels))
        ]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of one of the files, which is read once."""
        if path not in self._digests:
            self._digests[path] = sha256_of(path)
        return self._digests[path]

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


def check_labels_grid(labels: Segmentation, reference: Grid, files: LabelledCase) -> None:
    """Check that labels lie on the grid of the reference image.

    :raises InputError: they do not.
    """
    if labels.grid.same_as(reference, GRID_TOLERANCE_MM):
        return
    label = reference_of(files.images).label
    raise InputError(
        f"does not lie on the grid of {label} ({files.images[reference_of(files.images)].name}): "
        f"{labels.grid.shape[::-1]} voxels against {reference.shape[::-1]}, or moved",
        where=str(files.labels),
        remedy=f"resample the labels onto {label} with nearest neighbours",
    )


def _position(name: str) -> float:
    """A number in [0, 1) that only depends on ``name``."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _check_labels(files: LabelledCase) -> None:
    reference = read_volume(files.images[reference_of(files.images)])
    check_labels_grid(read_labels(files.labels, TUMOUR.outputs.scheme), reference.grid, files)
