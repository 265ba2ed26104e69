"""One run from files to files: what ``segment`` and ``demo`` have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..backends.protocol import Device, Precision
from ..backends.registry import backends
from ..benchmark.memory import peak_memory_bytes
from ..benchmark.protocol import check_iterations, measure
from ..benchmark.retention import quality_retention
from ..errors import InputError, UnavailableError
from ..files.atomic import atomic_write, check_place
from ..files.read import read_study
from ..files.write import check_output, suffix_of, write_segmentation
from ..inference.progress import StageClock
from ..inference.result import RunResult
from ..inference.sliding_window import infer
from ..manifest.build import build_manifest, identify_model, record_input, record_output
from ..manifest.hardware import probe_environment, probe_hardware
from ..manifest.model import (
    END_TO_END_INCLUDES,
    MODEL_ONLY_INCLUDES,
    LatencySummary,
    Manifest,
    QualityRetention,
    ReferenceRun,
)
from ..manifest.write import to_json
from ..modality import Modality
from ..preprocessing.network_input import prepare
from ..study import Study
from .services import PipelineFactory, Runner

REFERENCE_BACKENDS = ("eager", "onnxruntime")
"""What ``--verify`` compares with, in FP32 on the CPU: the first of these that runs here."""


@dataclass(frozen=True)
class Job:
    """What to run on which files.

    :param inputs: image files or DICOM folders.
    :param output: segmentation file.
    :param manifest: manifest file.
    :param iterations: timed iterations of a benchmark; None for no benchmark.
    :param verify: whether to compare with an FP32 reference run.
    """

    inputs: Mapping[Modality, Path]
    output: Path
    manifest: Path
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
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
        check_files(job)
        if job.iterations is not None:
            check_iterations(job.iterations)
        pipeline = make_pipeline(backend=job.backend, precision=job.precision, device=job.device)
        reference = _reference_pipeline(make_pipeline) if job.verify else None
    with clock.stage("read"):
        study = read_study(job.inputs)
        inputs = [record_input(m, study[m], job.inputs[m]) for m in study]
    result = pipeline.run(study, clock)
    with atomic_write(job.output) as output, atomic_write(job.manifest) as manifest_file:
        with clock.stage("write"):
            write_segmentation(result.segmentation, output)
            hardware, environment = probe_hardware(), probe_environment()
        result = replace(result, stages_ms=clock.stages_ms)
        peak = peak_memory_bytes()
        written = record_output(result.segmentation, output)
        benchmark = _benchmark(job, pipeline, study, output, clock) if job.iterations else None
        quality = _verify(result, study, reference, clock) if reference else None
        manifest = build_manifest(
            result,
            model=identify_model(pipeline.package.card),
            inputs=inputs,
            output=written,
            requested_backend=job.backend,
            requested_precision=job.precision,
            choice=pipeline.choice,
            benchmark=benchmark,
            quality=quality,
            peak_memory_bytes=peak,
            hardware=hardware,
            environment=environment,
        )
        manifest_file.write_text(to_json(manifest), encoding="utf-8")
    return Done(study, result, manifest)


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
    taken = {os.path.realpath(path): modality.label for modality, path in job.inputs.items()}
    for option, path in (("--output", job.output), ("--manifest", job.manifest)):
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise InputError(
                f"is both {other} and {option}",
                where=str(path),
                remedy=f"give {option} a name of its own",
            )


def _benchmark(
    job: Job, pipeline: Runner, study: Study, scratch: Path, clock: StageClock
) -> LatencySummary:
    """Time the warm engine alone, then the way from the input files to a written segmentation.

    :param scratch: is overwritten with the same segmentation again and again.
    """
    assert job.iterations is not None
    engine = pipeline.warm()
    seen = prepare(study, engine.info.shape)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        clock.progress.advance(min(1.0, done / (job.iterations or 1)))

    def model_only() -> None:
        infer(engine, seen.x, seen.availability, lambda _share: None)
        tick()

    def end_to_end() -> None:
        result = pipeline.run(read_study(job.inputs))
        write_segmentation(result.segmentation, scratch)
        tick()

    clock.progress.begin(f"benchmark: model only, {job.iterations} iterations")
    model = measure(model_only, job.iterations)
    done = 0
    clock.progress.begin(f"benchmark: end to end, {job.iterations} iterations")
    whole = measure(end_to_end, job.iterations)
    return LatencySummary(
        model_only=model.timing(MODEL_ONLY_INCLUDES), end_to_end=whole.timing(END_TO_END_INCLUDES)
    )


def _reference_pipeline(make_pipeline: PipelineFactory) -> Runner:
    """Return the FP32 pipeline on the CPU that ``--verify`` compares with.

    :raises UnavailableError: none of `REFERENCE_BACKENDS` runs here.
    """
    for name in REFERENCE_BACKENDS:
        if backends()[name].availability(Device.CPU, Precision.FP32).ok:
            return make_pipeline(backend=name, precision=Precision.FP32, device=Device.CPU)
    raise UnavailableError(
        f"--verify needs one of {', '.join(REFERENCE_BACKENDS)}",
        remedy="pip install 'brainsegaccel[torch]'",
    )


def _verify(
    result: RunResult, study: Study, reference: Runner, clock: StageClock
) -> QualityRetention:
    """Run the reference on the same study and compare the two label maps."""
    clock.progress.begin("verify: FP32 reference run")
    expected = reference.run(study)
    segmentation = result.segmentation
    return quality_retention(
        segmentation.labels,
        expected.segmentation.labels,
        segmentation.grid.spacing,
        ReferenceRun(
            backend=expected.engine.backend,
            version=expected.engine.version,
            precision=expected.engine.precision,
        ),
    )
