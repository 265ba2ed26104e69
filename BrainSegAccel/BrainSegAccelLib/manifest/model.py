"""The manifest: what ran, on what, how fast and how well, in one typed document."""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import fmean
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from .. import __version__
from ..backends.candidate import Candidate
from ..backends.protocol import Device, EngineInfo, Precision
from ..metrics.latency import Samples, check_iterations
from ..preprocessing.record import Preprocessing
from ..records import (
    MIN_ITERATIONS,
    Axes,
    Count,
    Measured,
    Millilitres,
    Millimetres,
    Milliseconds,
    Record,
    Score,
    Seconds,
    Sha256,
    Spacing,
    Text,
    UtcTime,
    check_together,
)
from ..study.modality import Modality
from ..system.machine import Environment, Hardware

SCHEMA_VERSION: Literal["1.1"] = "1.1"

PROCESS_START = "process start"
"""Name of the stage that holds interpreter start and imports, where a run measures it."""


class Software(Record):
    """The program that wrote the manifest."""

    name: Literal["BrainSegAccel"]
    version: Text

    @classmethod
    def this(cls) -> Self:
        """Name what runs here."""
        return cls(name="BrainSegAccel", version=__version__)


class ModelIdentity(Measured):
    """Which network with which weights; the hashes tie this run to shipped files."""

    name: Text
    version: Text
    config_sha256: Sha256
    weights_sha256: Sha256
    onnx_sha256: Sha256 | None
    licence: Text = Field(description="SPDX identifier.")
    intended_use: Text


class Selection(Measured):
    """How the backend came to be chosen."""

    requested_backend: Text = Field(description="As asked for: a backend's name or auto.")
    candidates: tuple[Candidate, ...] | None = Field(description="What auto measured.")
    remembered: bool | None = Field(
        description="Whether auto measured them in an earlier run on this machine."
    )


class EngineBuild(Measured):
    """How the engine came to be."""

    seconds: Seconds = Field(description="To compile, or to load from the cache on a hit.")
    cache_key: Text | None
    cache_hit: bool | None


class Runtime(Measured):
    """Backend and software under the run."""

    backend: Text
    version: Text
    device: Device
    device_name: Text
    settings: dict[str, str] = Field(description="Runtime settings that bear on speed.")
    engine: EngineBuild
    selection: Selection
    environment: Environment
    peak_memory_bytes: Count | None = Field(description="Peak resident memory of the process.")


class PrecisionUse(Measured):
    """Number formats asked for and really used."""

    requested: Precision | Literal["auto"]
    engine: Precision = Field(description="Format the engine was built for.")
    actual_operations: dict[str, Count] | None = Field(
        description="Number of operations that run in each format."
    )
    tf32: bool | None = Field(
        description="Whether FP32 convolutions and matrix products may round inputs to TF32."
    )


class InputProtocol(Record):
    """What one model-only iteration works on."""

    shape: tuple[int, int, int, int, int] = Field(description="Network input (N, C, D, H, W).")
    dtype: Literal["float32"]
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres]
    available: tuple[Modality, ...] = Field(min_length=1)
    missing: tuple[Modality, ...] = Field(description="Given to the network as zero channels.")
    passes: Literal["whole brain", "sliding window"]
    windows: int = Field(gt=0, description="Engine calls for one volume.")
    overlap: Score = Field(
        ge=0, lt=1, description="Smallest share of a window that its neighbour covers too."
    )

    @model_validator(mode="after")
    def _every_modality_once(self) -> Self:
        if sorted(self.available + self.missing) != sorted(Modality):
            raise ValueError("available and missing must name each modality once")
        if (self.passes == "whole brain") != (self.windows == 1):
            raise ValueError(f"{self.passes} cannot take {self.windows} windows")
        return self


class Timing(Measured):
    """Percentiles of repeated runs of one thing, after warm-up; all there or all null.

    Percentiles interpolate linearly between order statistics (type 7 of Hyndman and Fan 1996,
    numpy's default).
    """

    includes: Text = Field(description="What one iteration covers, and what it does not.")
    warmup: Count | None = Field(description="Untimed iterations before the first timed one.")
    iterations: int | None = Field(ge=MIN_ITERATIONS)
    p50_ms: Milliseconds | None
    p95_ms: Milliseconds | None
    min_ms: Milliseconds | None
    max_ms: Milliseconds | None
    mean_ms: Milliseconds | None

    @classmethod
    def of(cls, samples: Samples, includes: str) -> Self:
        """Take the percentiles of timed iterations.

        :param includes: what one iteration covered, and what not.
        :raises InputError: too few iterations.
        """
        check_iterations(len(samples.milliseconds))
        return cls(
            includes=includes,
            warmup=samples.warmup,
            iterations=len(samples.milliseconds),
            p50_ms=samples.percentile(50),
            p95_ms=samples.percentile(95),
            min_ms=min(samples.milliseconds),
            max_ms=max(samples.milliseconds),
            mean_ms=fmean(samples.milliseconds),
        )

    @classmethod
    def not_measured(cls, includes: str, reason: str) -> Self:
        """All values null, with the reason."""
        absent = dict.fromkeys(_TIMING_VALUES)
        return cls.model_validate({"includes": includes, "reason": reason, **absent})

    @model_validator(mode="after")
    def _all_or_none_in_order(self) -> Self:
        check_together({name: getattr(self, name) for name in _TIMING_VALUES})
        times = (self.min_ms, self.p50_ms, self.p95_ms, self.max_ms)
        known = [value for value in times if value is not None]
        if known != sorted(known):
            raise ValueError(f"min, p50, p95, max are not in order: {known}")
        if self.mean_ms is not None and not known[0] <= self.mean_ms <= known[-1]:
            raise ValueError(f"mean {self.mean_ms} ms lies outside {known[0]} to {known[-1]} ms")
        return self


_TIMING_VALUES = ("warmup", "iterations", "p50_ms", "p95_ms", "min_ms", "max_ms", "mean_ms")

MODEL_ONLY_INCLUDES = (
    "engine calls for one volume, from float32 input to float32 probabilities in host memory; "
    "no reading, pre- or postprocessing, writing"
)
END_TO_END_INCLUDES = (
    "input files to the written segmentation file in a warm process with the engine loaded; "
    "no process start, no engine build"
)


class LatencySummary(Record):
    """What a benchmark of one run measured."""

    model_only: Timing
    end_to_end: Timing

    @classmethod
    def not_measured(cls, reason: str) -> Self:
        """Neither was benchmarked."""
        return cls(
            model_only=Timing.not_measured(MODEL_ONLY_INCLUDES, reason),
            end_to_end=Timing.not_measured(END_TO_END_INCLUDES, reason),
        )


class Latency(LatencySummary):
    """Wall time of this run by stage, and percentiles of repeated runs."""

    stages_ms: dict[str, Milliseconds] = Field(
        min_length=1, description="Every stage of this run once, in the order in which they ran."
    )
    total_ms: Milliseconds = Field(description="Sum of the stages.")
    total_includes: Text

    @model_validator(mode="after")
    def _total_is_the_sum(self) -> Self:
        total = math.fsum(self.stages_ms.values())
        if not math.isclose(self.total_ms, total, abs_tol=1e-2):
            raise ValueError(f"total_ms is {self.total_ms:g}, the stages sum to {total:g}")
        return self


PerRegion = Annotated[dict[str, Score], Field(min_length=1)]
"""One figure for each region, by its identifier, e.g. ET, TC and WT."""


class ReferenceRun(Record):
    """The unaccelerated run that this one is compared with."""

    backend: Text
    version: Text
    precision: Precision

    @classmethod
    def of(cls, engine: EngineInfo) -> Self:
        """Take what ran."""
        return cls(backend=engine.backend, version=engine.version, precision=engine.precision)


class QualityRetention(Measured):
    """What acceleration cost in quality, against an FP32 reference run on the same input.

    Conventions of Dice and HD95: ``BrainSegAccelLib.metrics``.
    """

    reference: ReferenceRun | None
    truth: Literal["ground truth", "reference run"] | None = Field(
        description="Which label map both runs are scored against. Without a ground truth it is "
        "the reference run's own, whose Dice is then 1 and HD95 0."
    )
    delta_dice: PerRegion | None = Field(description="Dice of this run minus the reference run's.")
    delta_hd95_mm: PerRegion | None = Field(
        description="HD95 of this run minus the reference run's."
    )
    agreement_dice: PerRegion | None = Field(description="Dice between the two runs' label maps.")

    @classmethod
    def not_verified(cls, reason: str) -> Self:
        """No reference run was made."""
        return cls.model_validate({"reason": reason, **dict.fromkeys(_RETENTION_VALUES)})

    @model_validator(mode="after")
    def _all_or_none_against_fp32(self) -> Self:
        check_together({name: getattr(self, name) for name in _RETENTION_VALUES})
        if self.reference is not None and self.reference.precision is not Precision.FP32:
            raise ValueError(f"the reference must be fp32, not {self.reference.precision}")
        return self


_RETENTION_VALUES = ("reference", "truth", "delta_dice", "delta_hd95_mm", "agreement_dice")


class InputRecord(Record):
    """One input volume; never a name, a path or a DICOM identifier."""

    modality: Modality
    shape: Axes
    spacing_mm: Spacing
    sha256: Sha256
    sha256_of: Literal["file", "dicom series", "voxels"] = Field(
        description="file: the bytes of the image file. dicom series: the sorted SHA-256 digests "
        "of its files, concatenated. voxels: little-endian float32 values, i fastest, of a volume "
        "that was given in memory."
    )
    remarks: tuple[Text, ...] = Field(
        description="What was chosen or repaired to read it, one sentence each; mostly empty."
    )


class LabelRecord(Record):
    """A label of a segmentation."""

    value: int = Field(ge=1, le=255)
    name: Text = Field(description="As people write it.")


class RegionRecord(Record):
    """Labels taken together."""

    name: Text = Field(description="As people write it.")
    labels: tuple[int, ...] = Field(min_length=1, description="Values of the label map.")


class Scope(StrEnum):
    """Where the network ran."""

    HEAD = "whole head"
    REGION = "region of interest"


class OutputRecord(Measured):
    """The written segmentation."""

    format: Text = Field(description="File suffix, e.g. .seg.nrrd, or scene node.")
    shape: Axes
    spacing_mm: Spacing
    sha256: Sha256 | None
    scope: Scope = Field(
        description="Where the network ran; what lies outside of a region is from an earlier run."
    )
    thresholds: PerRegion = Field(
        description="A voxel belongs to a region where its probability is above this."
    )
    smallest_lesion_ml: Millilitres = Field(
        description="Connected tumour parts of less than this volume were removed."
    )
    peak_odds: float = Field(
        ge=1,
        description="So were those whose most probable voxel has less than this many times the "
        "odds of the threshold of an outermost region.",
    )
    labels: dict[str, LabelRecord] = Field(
        min_length=1, description="What the values of the label map mean, by identifier."
    )
    regions: dict[str, RegionRecord] = Field(min_length=1, description="By identifier.")
    volumes_ml: dict[str, Millilitres] = Field(description="By label and by region.")

    @property
    def outermost(self) -> tuple[str, ...]:
        """The regions that lie within no other: all that is tumour."""
        sets = {name: set(region.labels) for name, region in self.regions.items()}
        return tuple(
            name for name, labels in sets.items() if not any(labels < s for s in sets.values())
        )


class Manifest(Record):
    """Everything that makes the speed and the quality of one run checkable."""

    schema_version: Literal["1.1"]
    created_utc: UtcTime
    software: Software
    model: ModelIdentity
    requested: dict[str, JsonValue] = Field(
        description="Every option of the run as it was asked for, by the names of its fields; null "
        "for what was left to the model or not asked for. Volumes are named by digests."
    )
    hardware: Hardware
    runtime: Runtime
    precision: PrecisionUse
    input_protocol: InputProtocol
    latency: Latency
    quality_retention: QualityRetention
    inputs: tuple[InputRecord, ...] = Field(min_length=1)
    preprocessing: Preprocessing
    outputs: tuple[OutputRecord, ...] = Field(min_length=1)
    warnings: tuple[Text, ...] = Field(
        description="Everything that the user was told in words: what missing modalities mean, "
        "what was chosen or repaired to read the inputs, and warnings of the run."
    )
