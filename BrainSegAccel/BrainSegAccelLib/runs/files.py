"""A run from files to files: what command line and batch have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.atomic import atomic_write, check_place
from ..io.read import read_study, read_volume
from ..io.source import Source, files_of, identity_of, open_source
from ..io.write import DICOM_SUFFIX, check_output, needs_series, suffix_of, write_segmentation
from ..manifest.build import record_inputs, record_output
from ..manifest.model import END_TO_END_INCLUDES, Manifest, OutputRecord, Scope
from ..manifest.write import to_json
from ..study.modality import Modality, reference_of
from ..study.segmentation import Segmentation
from ..study.study import Study, check_grid, overlap
from .given import Given, Written
from .options import REFERENCE, RunOptions
from .progress import StageClock

if TYPE_CHECKING:
    from ..geometry.volume import Grid
    from ..io.dicom.segmentation import Origin
    from ..models.card import ModelCard
    from ..postprocessing.refinement import ResolvedRefinement

BRAIN_MASK, GRID = "brain_mask", "grid"
"""Options whose value is read from a file."""


def manifest_beside(output: Path) -> Path:
    """Return the manifest's default place: ``x.seg.nrrd`` has ``x.manifest.json``.

    :raises InputError: ``output`` has no suffix of a segmentation.
    """
    return output.with_name(output.name.removesuffix(suffix_of(output)) + ".manifest.json")


@dataclass(frozen=True, eq=False)
class FileInputs:
    """Volumes that are read from files.

    :param given: image files, DICOM files or folders that stand for their series, or stacks.
    :param of_options: by name of the option, the file that its value is read from: a brain mask,
        or a volume whose grid the result is to lie on.
    """

    given: Mapping[Modality, Source]
    of_options: Mapping[str, Path] = field(default_factory=dict)

    from_disk = True
    end_to_end = END_TO_END_INCLUDES

    def __post_init__(self) -> None:
        opened = {m: open_source(s) if isinstance(s, Path) else s for m, s in self.given.items()}
        object.__setattr__(self, "given", opened)

    def check(self) -> None:
        """See `given.Inputs.check`.

        :raises InputError: there is no input.
        """
        if not self.given:
            raise InputError(
                "no input volume",
                remedy="give a case folder or at least one of --t1, --t1c, --t2 and --flair",
            )

    def read(self, options: RunOptions) -> Given:
        """See `given.Inputs.read`."""
        study = self.study()
        records = record_inputs(study, self.given)
        read: dict[str, Any] = {}
        if GRID in self.of_options:
            read[GRID] = self._grid(self.of_options[GRID], study)
        if BRAIN_MASK in self.of_options:
            read[BRAIN_MASK] = read_volume(self.of_options[BRAIN_MASK])
        return Given(study, records, options.model_copy(update=read))

    def study(self) -> Study:
        """See `given.Inputs.study`."""
        return read_study(self.given)

    def _grid(self, path: Path, study: Study) -> Modality | Grid:
        """Return whose grid the segmentation is to lie on.

        :raises InputError: no volume that can be read, or one that shows another place.
        """
        source = open_source(path)
        for modality, given in self.given.items():
            if identity_of(given) == identity_of(source):
                return modality
        grid = read_volume(source).grid
        check_grid(grid, str(path))
        if not overlap(grid, study.reference_grid):
            raise InputError(
                f"does not overlap {study.reference.label} in patient space",
                where=str(path),
                remedy="give --grid a volume of the same patient and position",
            )
        return grid


@dataclass(frozen=True, eq=False)
class FileOutput:
    """A segmentation file and a manifest; either both are replaced or neither.

    :param inputs: which are not overwritten; a DICOM SEG refers to them.
    """

    segmentation: Path
    manifest: Path
    inputs: FileInputs

    def check(self, card: ModelCard, options: RunOptions) -> AbstractContextManager[Written]:
        """See `given.Output.check`.

        :raises InputError: an output that cannot be written, or that is an input; no DICOM series
            that a DICOM SEG could refer to.
        :raises UnavailableError: highdicom is not installed.
        """
        check_output(self.segmentation)
        check_place(self.manifest)
        self._check_distinct()
        return self._written(self._origin(card, options))

    @contextmanager
    def _written(self, origin: Origin | None) -> Iterator[Written]:
        with (
            atomic_write(self.segmentation) as segmentation,
            atomic_write(self.manifest) as manifest,
        ):
            yield _WrittenFiles(segmentation, manifest, origin)

    def _check_distinct(self) -> None:
        taken = {
            os.path.realpath(file): modality.label
            for modality, source in self.inputs.given.items()
            for file in files_of(source)
        }
        if BRAIN_MASK in self.inputs.of_options:
            taken.setdefault(os.path.realpath(self.inputs.of_options[BRAIN_MASK]), "--brain-mask")
        for option, path in (("--output", self.segmentation), ("--manifest", self.manifest)):
            other = taken.setdefault(os.path.realpath(path), option)
            if other != option:
                raise InputError(
                    f"is both {other} and {option}",
                    where=str(path),
                    remedy=f"give {option} a name of its own",
                )

    def _origin(self, card: ModelCard, options: RunOptions) -> Origin | None:
        """Return what a DICOM SEG refers to; None for other formats."""
        if suffix_of(self.segmentation) != DICOM_SUFFIX:
            return None
        asked = self.inputs.of_options.get(GRID, options.grid)
        if asked != REFERENCE:
            raise InputError(
                "DICOM SEG is written on the grid of the series that it refers to",
                where=f"--grid {asked}",
                remedy="leave --grid out, or write .nii.gz or .seg.nrrd",
            )
        from ..io.dicom.segmentation import Origin, check_source

        source = self.inputs.given[reference_of(self.inputs.given)]
        if isinstance(source, Path):
            raise needs_series(self.segmentation)
        check_source(source)
        return Origin(source, (card.name, card.version), {"weights_sha256": card.weights.sha256})


@dataclass(frozen=True, eq=False)
class _WrittenFiles:
    """Both files under hidden names, until they are complete."""

    segmentation: Path
    manifest: Path
    origin: Origin | None

    def write(self, segmentation: Segmentation, clock: StageClock) -> None:
        with clock.stage("write"):
            write_segmentation(segmentation, self.segmentation, self.origin)

    def record(
        self, segmentation: Segmentation, refinement: ResolvedRefinement, scope: Scope
    ) -> OutputRecord:
        return record_output(segmentation, self.segmentation, refinement, scope)

    def finish(self, manifest: Manifest) -> None:
        self.manifest.write_text(to_json(manifest), encoding="utf-8")
