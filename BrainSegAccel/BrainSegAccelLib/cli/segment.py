"""``brainsegaccel segment``: MR volumes in, segmentation and manifest out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Asked, takes_options

if TYPE_CHECKING:
    from ..io.source import Source
    from ..study.modality import Modality
    from .services import Services

_INPUT = "image file, or a DICOM series: its folder or one of its files"


@takes_options()
def segment(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option(help="Segmentation to write: .seg.nrrd, .nii.gz, .nrrd or .dcm.")
    ],
    asked: Asked,
    case_dir: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CASE_DIR]",
            help="Folder of a case: images, found by file name, or DICOM series, by their headers.",
        ),
    ] = None,
    t1: Annotated[Path | None, typer.Option(help=f"T1: {_INPUT}.")] = None,
    t1c: Annotated[Path | None, typer.Option(help="T1 with contrast agent.")] = None,
    t2: Annotated[Path | None, typer.Option(help="T2.")] = None,
    flair: Annotated[Path | None, typer.Option(help="FLAIR.")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Manifest to write (default: beside OUTPUT, .manifest.json)."),
    ] = None,
) -> None:
    """Segment a case: volumes in, segmentation and manifest out.

    Give CASE_DIR, or the files, or both: files that are named go first. An output that exists is
    replaced only after the run has succeeded.
    """
    from ..runs.execute import execute
    from ..runs.files import FileInputs, FileOutput, manifest_beside
    from .progress import clock_on_stderr
    from .summary import print_summary

    services: Services = context.obj
    given = dict(zip(("t1", "t1c", "t2", "flair"), (t1, t1c, t2, flair), strict=True))
    with clock_on_stderr(services) as clock:
        with clock.stage("find"):
            found = _inputs(case_dir, {name: path for name, path in given.items() if path})
        with clock.stage("check"):
            inputs = FileInputs(found, asked.files)
            place = FileOutput(output, manifest or manifest_beside(output), inputs)
        _, written = execute(
            inputs, asked.options, place, make_pipeline=services.make_pipeline, clock=clock
        )
    print_summary(written, place)


def _inputs(case_dir: Path | None, given: dict[str, Path]) -> dict[Modality, Source]:
    """Return the files named by options, and what is found in the folder for the rest."""
    from ..io.source import find_sources
    from ..study.modality import Modality

    named = {Modality(name): path for name, path in given.items()}
    found = find_sources(case_dir, given=named) if case_dir else {}
    return {m: named.get(m) or found[m] for m in Modality if m in named or m in found}
