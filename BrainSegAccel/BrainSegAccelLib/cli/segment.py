"""``brainsegaccel segment``: MR volumes in, segmentation and manifest out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..modality import Modality
    from .services import Services

_INPUT = "image file or folder of one DICOM series"


def segment(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option(help="Segmentation to write: .seg.nrrd, .nii.gz or .nrrd.")
    ],
    case_dir: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CASE_DIR]", help="Folder of a case; modalities are found by file name."
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
    backend: Annotated[
        str, typer.Option(help="auto measures; brainsegaccel info lists what runs here.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16 or int8.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    benchmark: Annotated[
        int | None,
        typer.Option(metavar="N", help="Also time N warm iterations (20 or more)."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also compare with an FP32 reference run.")
    ] = False,
) -> None:
    """Segment a case: volumes in, segmentation and manifest out.

    Give CASE_DIR, or the files, or both: files that are named go first. An output that exists is
    replaced only after the run has succeeded.
    """
    from ..inference.progress import StageClock
    from ..manifest.model import PROCESS_START
    from .job import Job, manifest_beside, run_job
    from .progress import progress_on_stderr
    from .summary import print_summary

    services: Services = context.obj
    given = dict(zip(("t1", "t1c", "t2", "flair"), (t1, t1c, t2, flair), strict=True))
    job = Job(
        inputs=_inputs(case_dir, {name: path for name, path in given.items() if path}),
        output=output,
        manifest=manifest or manifest_beside(output),
        backend=backend,
        precision=precision,
        device=device,
        iterations=benchmark,
        verify=verify,
    )
    with progress_on_stderr() as progress:
        clock = StageClock(progress)
        if services.since_start:
            clock.add(PROCESS_START, services.since_start())
        done = run_job(job, services.make_pipeline, clock)
    print_summary(done, job)


def _inputs(case_dir: Path | None, given: dict[str, Path]) -> dict[Modality, Path]:
    """Return the files named by options, and those found in the folder for the rest."""
    from ..files.discover import discover
    from ..modality import Modality

    named = {Modality(name): path for name, path in given.items()}
    found = discover(case_dir, given=named) if case_dir else {}
    return {m: (named | found)[m] for m in Modality if m in named or m in found}
