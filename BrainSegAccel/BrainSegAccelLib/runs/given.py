"""Where the volumes of a run come from and where its result goes, as a run needs it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ..manifest.model import InputRecord, Manifest, OutputRecord, Scope
from ..models.card import ModelCard
from ..postprocessing.refinement import ResolvedRefinement
from ..study.segmentation import Segmentation
from ..study.study import Study
from .options import RunOptions
from .progress import StageClock


@dataclass(frozen=True, eq=False)
class Given:
    """What a run works on.

    :param records: of the inputs, for the manifest.
    :param options: as asked, with what was read for them.
    """

    study: Study
    records: Sequence[InputRecord]
    options: RunOptions


class Inputs(Protocol):
    """Where volumes come from."""

    @property
    def from_disk(self) -> bool:
        """Whether reading waits for a disk, so that an engine is better built meanwhile."""
        ...

    @property
    def end_to_end(self) -> str:
        """What a timed repetition of the whole way covers, for the manifest."""
        ...

    def check(self) -> None:
        """Check what can be checked without reading an image.

        :raises InputError: there is none.
        """
        ...

    def read(self, options: RunOptions) -> Given:
        """Read the volumes, and those that the options are given as files.

        :raises InputError: what cannot be read or used.
        """
        ...

    def study(self) -> Study:
        """Read the volumes again, and nothing else."""
        ...


class Written(Protocol):
    """Where one result is being put; nothing of it stays unless all of it is done."""

    def write(self, segmentation: Segmentation, clock: StageClock) -> None:
        """Put the labels there; again, they replace those before."""
        ...

    def record(
        self, segmentation: Segmentation, refinement: ResolvedRefinement, scope: Scope
    ) -> OutputRecord:
        """Describe what was written, for the manifest."""
        ...

    def finish(self, manifest: Manifest) -> None:
        """Put the manifest beside it."""
        ...


class Output(Protocol):
    """Where a result goes."""

    def check(self, card: ModelCard, options: RunOptions) -> AbstractContextManager[Written]:
        """Check, before the run, that the result can be put there, and return what puts it there.

        :raises InputError: it cannot.
        """
        ...
