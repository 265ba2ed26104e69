"""A run on volumes in memory, whose result is handed back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..geometry.volume import Volume
from ..manifest.build import record_inputs, record_output
from ..manifest.model import Manifest, OutputRecord, Scope
from ..models.card import ModelCard
from ..postprocessing.refinement import ResolvedRefinement
from ..study.modality import Modality
from ..study.segmentation import Segmentation
from ..study.study import Study
from .given import Given, Written
from .options import RunOptions
from .progress import StageClock


class MemoryInputs:
    """Volumes that are there; whether they make a study is checked when they are read."""

    from_disk = False
    end_to_end = (
        "volumes in memory to labels in memory, in a warm process with the engine loaded; "
        "no process start, no engine build, no transfer between processes"
    )

    def __init__(self, volumes: Mapping[Modality, Volume]) -> None:
        self._volumes = volumes
        self._study: Study | None = None

    def check(self) -> None:
        """Leave it to `read`."""

    def read(self, options: RunOptions) -> Given:
        """See `given.Inputs.read`.

        :raises InputError: as `Study` does.
        """
        study = self.study()
        return Given(study, record_inputs(study), options)

    def study(self) -> Study:
        """Return the study, the same one each time."""
        if self._study is None:
            self._study = Study(self._volumes)
        return self._study


class HandedBack:
    """A result that is only handed back."""

    @contextmanager
    def check(self, card: ModelCard, options: RunOptions) -> Iterator[Written]:
        """Take any result."""
        yield self

    def write(self, segmentation: Segmentation, clock: StageClock) -> None:
        """Leave it to whoever asked for it."""

    def record(
        self, segmentation: Segmentation, refinement: ResolvedRefinement, scope: Scope
    ) -> OutputRecord:
        """See `given.Written.record`."""
        return record_output(segmentation, None, refinement, scope)

    def finish(self, manifest: Manifest) -> None:
        """Leave it to whoever asked for it."""
