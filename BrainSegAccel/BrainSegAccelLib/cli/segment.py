"""``brainsegaccel segment``: MR volumes in, segmentation and manifest out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..preprocessing.options import BrainExtraction, RegistrationMode
from ..resources import DEFAULT_MODEL
from .options import (
    BackendOption,
    BiasOption,
    BrainExtractionOption,
    BrainMaskOption,
    DeviceOption,
    GridOption,
    ModelOption,
    PrecisionOption,
    RegistrationOption,
)

if TYPE_CHECKING:
    from ..io.source import Source
    from ..study.modality import Modality
    from .services import Services

_INPUT = "image file, or a DICOM series: its folder or one of its files"


def segment(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option(help="Segmentation to write: .seg.nrrd, .nii.gz, .nrrd or .dcm.")
    ],
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
    model: ModelOption = DEFAULT_MODEL,
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    registration: RegistrationOption = RegistrationMode.AUTO,
    bias_correction: BiasOption = False,
    brain_extraction: BrainExtractionOption = BrainExtraction.AUTO,
    brain_mask: BrainMaskOption = None,
    grid: GridOption = "reference",
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
    from ..manifest.model import PROCESS_START
    from ..preprocessing.options import PreprocessingOptions
    from ..runs.job import Job, manifest_beside, run_job
    from ..runs.progress import StageClock
    from .progress import progress_on_stderr
    from .summary import print_summary

    services: Services = context.obj
    given = dict(zip(("t1", "t1c", "t2", "flair"), (t1, t1c, t2, flair), strict=True))
    with progress_on_stderr() as progress:
        clock = StageClock(progress)
        if services.since_start:
            clock.add(PROCESS_START, services.since_start())
        with clock.stage("find"):
            inputs = _inputs(case_dir, {name: path for name, path in given.items() if path})
        job = Job(
            inputs=inputs,
            output=output,
            manifest=manifest or manifest_beside(output),
            model=model,
            backend=backend,
            precision=precision,
            device=device,
            preprocessing=PreprocessingOptions(registration, bias_correction, brain_extraction),
            brain_mask=brain_mask,
            grid=grid,
            iterations=benchmark,
            verify=verify,
        )
        done = run_job(job, services.make_pipeline, clock)
    print_summary(done, job)


def _inputs(case_dir: Path | None, given: dict[str, Path]) -> dict[Modality, Source]:
    """Return the files named by options, and what is found in the folder for the rest."""
    from ..io.source import find_sources
    from ..study.modality import Modality

    named = {Modality(name): path for name, path in given.items()}
    found = find_sources(case_dir, given=named) if case_dir else {}
    return {m: named.get(m) or found[m] for m in Modality if m in named or m in found}
