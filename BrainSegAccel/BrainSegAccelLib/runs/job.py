"""One run from files to files: what ``segment`` and ``demo`` have in common."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..benchmark.protocol import check_iterations
from ..errors import InputError
from ..geometry.volume import Volume
from ..io.atomic import atomic_write, check_place
from ..io.read import read_study, read_volume
from ..io.source import Source, files_of, identity_of, open_source
from ..io.write import DICOM_SUFFIX, check_output, needs_series, suffix_of, write_segmentation
from ..manifest.build import build_manifest, identify_model, record_inputs, record_output
from ..manifest.model import END_TO_END_INCLUDES, InputRecord, Manifest
from ..manifest.write import to_json
from ..preprocessing.options import PreprocessingOptions
from ..resources import DEFAULT_MODEL
from ..study.modality import Modality, reference_of
from ..study.study import Study, check_grid, overlap
from ..system.hardware import probe_environment, probe_hardware
from ..system.memory import peak_memory_bytes
from .checks import compare, reference_pipeline, time_case
from .progress import StageClock
from .result import RunResult
from .runner import PipelineFactory, Runner
from .target import MODEL_GRID, Target

if TYPE_CHECKING:
    from ..io.dicom.segmentation import Origin

REFERENCE = "reference"
"""Stands for the volume on whose grid a segmentation is written unless asked otherwise."""


@dataclass(frozen=True)
class Job:
    """What to run on which files.

    :param inputs: image files, DICOM files or folders that stand for their series, or stacks.
    :param output: segmentation file.
    :param manifest: manifest file.
    :param model: name of a shipped model, or path of a model card or its folder.
    :param brain_mask: file of a mask that is taken instead of looking for the brain.
    :param grid: ``reference``, ``1mm``, or the path of a volume that the segmentation overlays.
    :param iterations: timed iterations of a benchmark; None for no benchmark.
    :param verify: whether to compare with an FP32 reference run.
    """

    inputs: Mapping[Modality, Source]
    output: Path
    manifest: Path
    model: str = DEFAULT_MODEL
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    brain_mask: Path | None = None
    grid: str = REFERENCE
    iterations: int | None = None
    verify: bool = False


@dataclass(frozen=True, eq=False)
class Done:
    """What a finished job leaves beside its files."""

    study: Study
    result: RunResult
    manifest: Manifest


def manifest_beside(output: Path) -> Path:
    """Return the manifest's default place: ``x.seg.nrrd`` has ``x.manifest.json``.

    :raises InputError: ``output`` has no suffix of a segmentation.
    """
    return output.with_name(output.name.removesuffix(suffix_of(output)) + ".manifest.json")


def run_job(job: Job, make_pipeline: PipelineFactory, clock: StageClock) -> Done:
    """Check everything, read, run and write both files; either both are replaced or neither.

    :param clock: may already hold the start of the process.
    :raises InputError: unusable arguments or input; nothing was written.
    :raises BrainSegAccelError: the run failed; nothing was written.
    """
    with clock.stage("check"):
        sources = {m: _opened(source) for m, source in job.inputs.items()}
        check_files(replace(job, inputs=sources))
        if job.iterations is not None:
            check_iterations(job.iterations)
        pipeline = make_pipeline(
            model=job.model, backend=job.backend, precision=job.precision, device=job.device
        )
        reference = reference_pipeline(make_pipeline, job.model) if job.verify else None
        origin = _origin(job, sources, pipeline)
    given = _read_while_warming(job, sources, pipeline, clock)
    study, mask = given.study, given.brain_mask

    def run(with_: Runner, study: Study, clock: StageClock | None = None) -> RunResult:
        return with_.run(
            study, clock, options=job.preprocessing, brain_mask=mask, target=given.target
        )

    result = run(pipeline, study, clock)
    with atomic_write(job.output) as output, atomic_write(job.manifest) as manifest_file:
        with clock.stage("write"):
            write_segmentation(result.segmentation, output, origin)
        peak = peak_memory_bytes()
        benchmark = quality = None
        if job.iterations:

            def again(with_: Runner) -> None:
                repeated = run(with_, read_study(sources))
                write_segmentation(repeated.segmentation, output, origin)

            benchmark = time_case(
                pipeline,
                result.network_input,
                job.iterations,
                partial(again, pipeline),
                END_TO_END_INCLUDES,
                clock.progress,
            )
        if reference:
            clock.progress.begin("verify: FP32 reference run")
            quality = compare(result, run(reference, study))
        with clock.stage("record"):
            hardware, environment = probe_hardware(), probe_environment()
            written = record_output(result.segmentation, output, result.refinement)
            model, choice = identify_model(pipeline.package.card), pipeline.choice
            del pipeline  # Letting go of an engine takes time, too.
        manifest = build_manifest(
            replace(result, stages_ms=clock.stages_ms),
            model=model,
            inputs=given.records,
            output=written,
            requested_backend=job.backend,
            requested_precision=job.precision,
            choice=choice,
            benchmark=benchmark,
            quality=quality,
            peak_memory_bytes=peak,
            hardware=hardware,
            environment=environment,
        )
        manifest_file.write_text(to_json(manifest), encoding="utf-8")
    return Done(study, result, manifest)


@dataclass(frozen=True, eq=False)
class _Given:
    """What was read: the study, its records for the manifest, and what goes with it."""

    study: Study
    records: list[InputRecord]
    target: Target | None
    brain_mask: Volume | None


def _read_while_warming(
    job: Job, sources: Mapping[Modality, Source], pipeline: Runner, clock: StageClock
) -> _Given:
    """Read the volumes; if it is known what to warm, the engine is built at the same time.

    The time that both took together is that of reading and, for what is left of it, the engine.
    The engine is built on this thread, on which it will run: some runtimes ask for that.
    """

    def read() -> _Given:
        study = read_study(sources)
        return _Given(
            study,
            record_inputs(study, sources),
            _target(job, sources, study),
            read_volume(job.brain_mask) if job.brain_mask else None,
        )

    if not pipeline.settled:
        with clock.stage("read"):
            return read()
    clock.progress.begin("read")
    started = time.perf_counter()
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(lambda: (read(), time.perf_counter()))
        pipeline.warm()
        found, done = reading.result()
    clock.add("read", done - started)
    clock.add("engine", time.perf_counter() - done)
    return found


def _target(job: Job, sources: Mapping[Modality, Source], study: Study) -> Target | None:
    """Return what the segmentation overlays.

    :raises InputError: no volume that can be read, or one that shows another place.
    """
    if job.grid == REFERENCE:
        return None
    if job.grid == MODEL_GRID:
        return MODEL_GRID
    source = open_source(Path(job.grid))
    for modality, given in sources.items():
        if identity_of(given) == identity_of(source):
            return modality
    grid = read_volume(source).grid
    check_grid(grid, job.grid)
    if not overlap(grid, study.reference_grid):
        raise InputError(
            f"does not overlap {study.reference.label} in patient space",
            where=job.grid,
            remedy="give --grid a volume of the same patient and position",
        )
    return grid


def _opened(source: Source) -> Source:
    return open_source(source) if isinstance(source, Path) else source


def _origin(job: Job, sources: Mapping[Modality, Source], pipeline: Runner) -> Origin | None:
    """Return what a DICOM SEG refers to; None for other formats.

    :raises InputError: the reference volume is no DICOM series that can be referred to.
    :raises UnavailableError: highdicom is not installed.
    """
    if suffix_of(job.output) != DICOM_SUFFIX:
        return None
    if job.grid != REFERENCE:
        raise InputError(
            "DICOM SEG is written on the grid of the series that it refers to",
            where=f"--grid {job.grid}",
            remedy="leave --grid out, or write .nii.gz or .seg.nrrd",
        )
    from ..io.dicom.segmentation import Origin, check_source

    source = sources[reference_of(sources)]
    if isinstance(source, Path):
        raise needs_series(job.output)
    check_source(source)
    card = pipeline.package.card
    return Origin(source, (card.name, card.version), {"weights_sha256": card.weights.sha256})


def check_files(job: Job) -> None:
    """Check what can be checked without reading an image.

    :raises InputError: no input; an output that cannot be written, or that is an input.
    """
    if not job.inputs:
        raise InputError(
            "no input volume",
            remedy="give a case folder or at least one of --t1, --t1c, --t2 and --flair",
        )
    check_output(job.output)
    check_place(job.manifest)
    taken = {
        os.path.realpath(file): modality.label
        for modality, source in job.inputs.items()
        for file in files_of(source)
    }
    if job.brain_mask:
        taken.setdefault(os.path.realpath(job.brain_mask), "--brain-mask")
    for option, path in (("--output", job.output), ("--manifest", job.manifest)):
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise InputError(
                f"is both {other} and {option}",
                where=str(path),
                remedy=f"give {option} a name of its own",
            )
