"""Put the manifest of one run together from what its parts reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import JsonValue

from ..backends.protocol import Device, EngineInfo, Precision
from ..geometry.volume import Volume
from ..io.hashing import sha256_of
from ..io.source import digest_of, remarks_of
from ..study.modality import Modality
from ..study.segmentation import Segmentation
from ..system.hardware import probe_environment, probe_hardware
from ..system.machine import Environment, Hardware
from .model import (
    PROCESS_START,
    SCHEMA_VERSION,
    EngineBuild,
    InputProtocol,
    InputRecord,
    LabelRecord,
    Latency,
    LatencySummary,
    Manifest,
    ModelIdentity,
    OutputRecord,
    PrecisionUse,
    QualityRetention,
    RegionRecord,
    Runtime,
    Scope,
    Selection,
    Software,
)

if TYPE_CHECKING:
    from ..backends.auto import Choice
    from ..backends.choice import EngineChoice
    from ..inference.result import RunResult
    from ..io.source import Source
    from ..models.card import ModelCard
    from ..postprocessing.refinement import ResolvedRefinement
    from ..study.study import Study

NOT_BENCHMARKED = "not benchmarked; ask for it with --benchmark"
NOT_VERIFIED = "no FP32 reference run was made; ask for it with --verify"
_DOUBLE_SUFFIXES = (".seg.nrrd", ".nii.gz")


def build_manifest(
    result: RunResult,
    *,
    model: ModelIdentity,
    inputs: Sequence[InputRecord],
    output: OutputRecord,
    asked: EngineChoice,
    requested: Mapping[str, JsonValue],
    warnings: Sequence[str] = (),
    choice: Choice | None = None,
    benchmark: LatencySummary | None = None,
    quality: QualityRetention | None = None,
    peak_memory_bytes: int | None = None,
    hardware: Hardware | None = None,
    environment: Environment | None = None,
    created_utc: datetime | None = None,
) -> Manifest:
    """Build the manifest of a finished run.

    :param result: its ``stages_ms`` must name every stage, reading and writing included; a stage
        named `PROCESS_START` says that the start of the process is counted too.
    :param inputs: one record a modality that was given.
    :param asked: which engine the user asked for.
    :param requested: all that the user asked for, `runs.options.RunOptions` as JSON.
    :param warnings: all that the user was told in words.
    :param choice: what ``auto`` measured; None if the backend was asked for by name.
    :param benchmark: None if the run was not benchmarked.
    :param quality: None if the run was not verified.
    :param hardware: default: this machine.
    :param environment: default: this Python.
    :param created_utc: default: now.
    :raises pydantic.ValidationError: if the parts contradict each other.
    """
    return Manifest(
        schema_version=SCHEMA_VERSION,
        created_utc=created_utc or datetime.now(UTC),
        software=Software.this(),
        model=model,
        requested=dict(requested),
        hardware=hardware or probe_hardware(),
        runtime=_runtime(
            result.engine,
            _selection(asked.backend, choice),
            environment or probe_environment(),
            peak_memory_bytes,
        ),
        precision=_precision(asked.precision, result.engine),
        input_protocol=_input_protocol(result, [record.modality for record in inputs]),
        latency=latency_of(
            result.stages_ms, benchmark or LatencySummary.not_measured(NOT_BENCHMARKED)
        ),
        quality_retention=quality or QualityRetention.not_verified(NOT_VERIFIED),
        inputs=tuple(inputs),
        preprocessing=result.preprocessing,
        outputs=(output,),
        warnings=tuple(warnings),
    )


def identify_model(card: ModelCard) -> ModelIdentity:
    """Take from a model card what names the model."""
    return ModelIdentity(
        name=card.name,
        version=card.version,
        config_sha256=card.network_sha256,
        weights_sha256=card.weights.sha256,
        onnx_sha256=card.onnx.sha256 if card.onnx else None,
        licence=card.licence,
        intended_use=card.intended_use,
        reason=None if card.onnx else "onnx_sha256: this model has no ONNX export",
    )


def record_input(modality: Modality, volume: Volume, source: Source | None = None) -> InputRecord:
    """Describe one input volume.

    :param source: what it was read from; None for a volume in memory.
    """
    return InputRecord(
        modality=modality,
        shape=volume.grid.size,
        spacing_mm=volume.grid.spacing,
        sha256=volume.sha256 if source is None else digest_of(source),
        sha256_of="voxels"
        if source is None
        else "file"
        if isinstance(source, Path)
        else "dicom series",
        remarks=remarks_of(source),
    )


def record_inputs(
    study: Study, sources: Mapping[Modality, Source] | None = None
) -> list[InputRecord]:
    """Describe every input volume, hashed side by side.

    :param sources: what they were read from; None for volumes in memory.
    """

    def record(modality: Modality) -> InputRecord:
        return record_input(modality, study[modality], sources[modality] if sources else None)

    with ThreadPoolExecutor(len(study)) as pool:
        return list(pool.map(record, study))


def record_output(
    segmentation: Segmentation,
    written: Path | None,
    refinement: ResolvedRefinement,
    scope: Scope = Scope.HEAD,
) -> OutputRecord:
    """Describe the segmentation as it was handed over.

    :param written: the file; None for a node in a scene.
    :param refinement: with what it was labelled.
    """
    scheme = segmentation.scheme
    return OutputRecord(
        format=_suffix(written) if written else "scene node",
        shape=segmentation.grid.size,
        spacing_mm=segmentation.grid.spacing,
        sha256=sha256_of(written) if written else None,
        scope=scope,
        thresholds=dict(refinement.thresholds),
        smallest_lesion_ml=refinement.smallest_lesion_ml,
        peak_odds=refinement.peak_odds,
        labels={
            label.identifier: LabelRecord(value=label.value, name=label.name)
            for label in scheme.labels
        },
        regions={
            region.identifier: RegionRecord(name=region.name, labels=region.labels)
            for region in scheme.regions
        },
        volumes_ml=segmentation.volumes_ml(),
        reason=None if written else "sha256: the segmentation was not written to a file",
    )


def _suffix(path: Path) -> str:
    """Return the format's suffix and nothing else of the name, which may hold a patient's."""
    double = (suffix for suffix in _DOUBLE_SUFFIXES if path.name.lower().endswith(suffix))
    return next(double, path.suffix.lower())


def _runtime(
    engine: EngineInfo,
    selection: Selection,
    environment: Environment,
    peak_memory_bytes: int | None,
) -> Runtime:
    return Runtime(
        backend=engine.backend,
        version=engine.version,
        device=engine.device,
        device_name=engine.device_name,
        settings=dict(engine.settings),
        engine=_engine_build(engine),
        selection=selection,
        environment=environment,
        peak_memory_bytes=peak_memory_bytes,
        reason=None if peak_memory_bytes else "peak_memory_bytes: not measured in this run",
    )


def _engine_build(engine: EngineInfo) -> EngineBuild:
    cached = engine.cache_key is not None and engine.cache_hit is not None
    return EngineBuild(
        seconds=engine.build_seconds,
        cache_key=engine.cache_key,
        cache_hit=engine.cache_hit,
        reason=None if cached else f"the {engine.backend} backend keeps no engine cache",
    )


def _selection(requested: str, choice: Choice | None) -> Selection:
    if choice is None:
        return Selection(
            requested_backend=requested,
            candidates=None,
            remembered=None,
            reason=f"{requested} was asked for, so no candidates were measured",
        )
    return Selection(
        requested_backend=requested,
        candidates=choice.candidates,
        remembered=choice.remembered,
    )


def _precision(requested: Literal["auto"] | Precision, engine: EngineInfo) -> PrecisionUse:
    """Say what formats ran; an engine on a GPU names TF32 in ``settings["tf32"]``, on or off."""
    operations = dict(engine.actual_precision) or None
    named = engine.settings.get("tf32")
    tf32 = False if engine.device is Device.CPU else None if named is None else named == "on"
    reasons = []
    if operations is None:
        reasons.append(f"actual_operations: {engine.backend} does not tell")
    if tf32 is None:
        reasons.append(f"tf32: {engine.backend} does not tell")
    return PrecisionUse(
        requested=requested,
        engine=engine.precision,
        actual_operations=operations,
        tf32=tf32,
        reason="; ".join(reasons) or None,
    )


def _input_protocol(result: RunResult, available: Sequence[Modality]) -> InputProtocol:
    return InputProtocol(
        shape=(1, len(Modality), *result.window_shape),
        dtype="float32",
        spacing_mm=result.preprocessing.model_grid_spacing_mm,
        available=tuple(m for m in Modality if m in available),
        missing=tuple(m for m in Modality if m not in available),
        passes="whole brain" if result.windows == 1 else "sliding window",
        windows=result.windows,
        overlap=result.overlap,
    )


def latency_of(stages_ms: Mapping[str, float], benchmark: LatencySummary) -> Latency:
    """Describe the wall time of a run.

    :param stages_ms: every stage of it in order, milliseconds.
    """
    stages = {name: round(ms, 3) for name, ms in stages_ms.items()}
    start = "included" if PROCESS_START in stages else "not included"
    return Latency(
        stages_ms=stages,
        total_ms=sum(stages.values()),
        total_includes=f"every stage above, once; start of the process and imports {start}",
        model_only=benchmark.model_only,
        end_to_end=benchmark.end_to_end,
    )
