"""A user's own cases as training sees them: each prepared once, kept in a folder, read from there.

Preparing a case takes seconds, and far more where its modalities have to be registered; reading a
prepared one takes a fraction of a second. What is kept is what `preprocess` gives the network,
cropped to what is shown, and the regions of the labels on the same grid.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..geometry.bounding_box import bounding_box
from ..geometry.resampling import resample
from ..inference.brain_finder import find_brain
from ..io.hashing import sha256_of
from ..io.labelled import LabelledCase
from ..io.read import read_study
from ..io.read_labels import read_labels
from ..io.sealed import read_sealed, write_sealed
from ..models.package import brain_package
from ..models.tasks import TUMOUR, Task
from ..preprocessing.brain_extraction import FindBrain
from ..preprocessing.preprocess import preprocess
from ..synthesis.rng import Rng
from ..system.host import usable_cores
from .config import WHOLE_BRAIN
from .own_data import check_labels_grid
from .sources import CPU

log = logging.getLogger(__name__)

KIND = "prepared-case"
_DARKEST = 0.5
"""What the darkest shown voxel becomes, in standard deviations above 0, which is air."""
_BRIGHTEST_LEVEL = 65535
_CORES_A_CASE = 4
"""Modalities are registered and resampled side by side."""
_ROOMS = ("geometry", "io", "preprocessing", "study")
"""Whose code decides how a case is prepared: with another version of it, it is prepared anew."""
_LIBRARIES = ("numpy", "SimpleITK")


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as it is kept, cropped to the voxels that are shown or labelled.

    :param levels: uint16 (C, D, H, W), 0 where a channel shows nothing, else 1 to 65535.
    :param steps: float32 (C,), what one level more is, in the unit of the normaliser.
    :param regions: bool (R, D, H, W).
    """

    levels: NDArray[np.uint16]
    steps: NDArray[np.float32]
    regions: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """Return it as a safetensors file."""
        from safetensors.numpy import save

        return save(
            {
                "levels": self.levels,
                "steps": self.steps,
                "regions": self.regions.view(np.uint8),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> PreparedCase:
        """Return the case of a safetensors file that `to_bytes` made."""
        from safetensors.numpy import load

        parts = load(content)
        return cls(parts["levels"], parts["steps"], parts["regions"].view(np.bool_))


@dataclass(frozen=True, eq=False)
class OwnCase:
    """A labelled case of a user; see :class:`~.sources.TrainingCase`."""

    images: Tensor
    regions: Tensor
    mask: Tensor
    voxel: float = 1.0

    @classmethod
    def of(cls, prepared: PreparedCase, voxel: float, device: torch.device) -> OwnCase:
        """Return a prepared case as samples are drawn from it.

        Samples vary grey scales from zero upwards and normalise again, which undoes the shift that
        makes all that is shown positive.
        """
        levels = torch.from_numpy(prepared.levels.astype(np.int32)).to(device)
        shown = levels > 0
        steps = torch.from_numpy(prepared.steps).to(device)[:, None, None, None]
        return cls(
            images=((levels - 1) * steps + _DARKEST) * shown,
            regions=torch.from_numpy(prepared.regions).to(device).float(),
            mask=shown.any(dim=0),
            voxel=voxel,
        )


def prepare_case(
    files: LabelledCase, task: Task = TUMOUR, find_brain: FindBrain = find_brain
) -> PreparedCase:
    """Read a case and give it to the network exactly as a run does, brain extraction included.

    :raises InputError: unusable images or labels, or labels that lie on another grid than the
        reference image.
    """
    study = read_study(files.images)
    labels = read_labels(files.labels, task.outputs.scheme)
    check_labels_grid(labels, study.reference_grid, files)
    given = preprocess(study, task.inputs, WHOLE_BRAIN, find_brain=find_brain)
    scheme = task.outputs.scheme
    regions = np.stack(
        [
            resample(
                scheme.mask(labels.labels, scheme.region(name)).astype(np.float32),
                labels.grid,
                given.grid,
            )[0]
            > 0.5
            for name in task.outputs.channels
        ]
    )
    shown = given.x[0] != 0
    box = bounding_box(shown.any(axis=0) | regions.any(axis=0))
    if box is None:
        raise InputError(
            "shows nothing of a brain", where=str(files.labels.parent), remedy="leave it out"
        )
    levels, steps = _quantised(given.x[0][(slice(None), *box)], shown[(slice(None), *box)])
    return PreparedCase(levels, steps, np.ascontiguousarray(regions[(slice(None), *box)]))


def _quantised(
    x: NDArray[np.float32], shown: NDArray[np.bool_]
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Spread each channel's shown values over 16 bits: a ten-thousandth of a deviation a level."""
    levels = np.zeros(x.shape, dtype=np.uint16)
    steps = np.ones(len(x), dtype=np.float32)
    for channel, (values, there) in enumerate(zip(x, shown, strict=True)):
        if not there.any():
            continue
        low, high = values[there].min(), values[there].max()
        if high > low:
            steps[channel] = (high - low) / (_BRIGHTEST_LEVEL - 1)
        levels[channel][there] = np.rint((values[there] - low) / steps[channel]) + 1
    return levels, steps


class PreparedCases:
    """The folder in which prepared cases are kept, named by what each was made of.

    A case whose files have changed, or that another version of preprocessing has made, is prepared
    anew under another name; a damaged file is prepared anew with a warning.

    :param folder: made when the first case is kept.
    :param task: what the network takes and says.
    :param prepare: makes a case; default: :func:`prepare_case` for the task.
    :param digest: the SHA-256 of a file.
    """

    def __init__(
        self,
        folder: Path,
        task: Task = TUMOUR,
        prepare: Callable[[LabelledCase], PreparedCase] | None = None,
        digest: Callable[[Path], str] = sha256_of,
    ) -> None:
        self.folder = folder
        self._task = task
        self._prepare = prepare
        self._digest = digest
        self._recipe = f"{_recipe(task)} {preprocessing_version()}"
        self._paths: dict[str, Path] = {}

    def path(self, files: LabelledCase) -> Path:
        """Return where a case is, or will be, kept."""
        key = str(files.labels)
        if key not in self._paths:
            made_of = {str(role): self._digest(path) for role, path in files.images.items()}
            made_of |= {"labels": self._digest(files.labels), "recipe": self._recipe}
            name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
            self._paths[key] = self.folder / f"{name}.case"
        return self._paths[key]

    def read(self, files: LabelledCase, device: torch.device) -> OwnCase:
        """Return a case, prepared now if it has not been yet.

        :raises InputError: as :func:`prepare_case`.
        """
        prepared = self._kept(files) or self._make(files)
        return OwnCase.of(prepared, self._task.inputs.spacing_mm[0], device)

    def prepare_all(self, cases: Sequence[LabelledCase], tell: Callable[[int, int], None]) -> int:
        """Prepare all cases that are not kept yet, and return how many bytes all of them take.

        :param tell: called with how many are done, and of how many.
        :raises InputError: as :func:`prepare_case`, of the first case that cannot be prepared.
        """
        with ThreadPoolExecutor(max(1, usable_cores() // _CORES_A_CASE)) as pool:
            done = 0
            try:
                for _ in pool.map(self._ensure, cases):
                    done += 1
                    tell(done, len(cases))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return sum(path.stat().st_size for path in {self.path(files) for files in cases})

    def _ensure(self, files: LabelledCase) -> None:
        if not self.path(files).is_file():
            self._make(files)

    def _kept(self, files: LabelledCase) -> PreparedCase | None:
        path = self.path(files)
        if not path.is_file():
            return None
        try:
            return PreparedCase.from_bytes(read_sealed(path, KIND))
        except InputError as error:
            log.warning("case %s is prepared anew: %s", files.name, error)
            return None

    def _make(self, files: LabelledCase) -> PreparedCase:
        prepared = self._prepare(files) if self._prepare else prepare_case(files, self._task)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_sealed(self.path(files), KIND, prepared.to_bytes())
        return prepared


def _recipe(task: Task) -> str:
    """Return what of a task decides how a case is prepared."""
    scheme = task.outputs.scheme
    regions = {name: scheme.region(name).labels for name in task.outputs.channels}
    return json.dumps([task.inputs.model_dump(mode="json"), regions, WHOLE_BRAIN], sort_keys=True)


@lru_cache(maxsize=1)
def preprocessing_version() -> str:
    """Return what tells one way of preparing a case from another, besides options.

    A hash of the code of the rooms that do it, of this file, of the brain network, and of the
    versions of the libraries that interpolate and register.
    """
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    for path in (Path(__file__), package / "inference" / "brain_finder.py"):
        digest.update(path.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    digest.update(brain_package().card.weights.sha256.encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class OwnSource:
    """Own cases drawn with replacement; at least one."""

    cases: Sequence[LabelledCase]
    prepared: PreparedCases
    device: torch.device

    def case(self, number: int) -> OwnCase:
        """Return the case that ``number`` draws."""
        return self.read(Rng(number, CPU).integer(0, len(self.cases) - 1))

    def read(self, index: int) -> OwnCase:
        """Return the case at ``index``.

        :raises InputError: as :func:`prepare_case`.
        """
        return self.prepared.read(self.cases[index], self.device)
