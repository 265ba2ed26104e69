"""What ``bench`` found, as a document: our rows as whole manifests, the peers beside them."""

from __future__ import annotations

from typing import Literal

from ..manifest.build import latency_of
from ..manifest.model import LatencySummary, Manifest, QualityRetention, Software, Timing
from ..records import Count, Record, Seconds, Text, UtcTime
from ..system.machine import Environment, Hardware

SCHEMA_VERSION: Literal["1.0"] = "1.0"
PEER_INCLUDES = (
    "one FP32 eager pass on {device} over one volume of the same shape, random weights, in a "
    "process of its own with its own settings, but TF32 off; from and to host memory"
)
"""To be filled with the device; likewise the next."""
RECIPE_INCLUDES = (
    "MONAI's plain recipe in its warm process: four files loaded, normalised, SegResNet on "
    "{device} in one window of 240x240x160, the result written"
)
NO_RECIPE = "only SegResNet has a recipe here, and only for a case of four NIfTI files"


class Row(Record):
    """One model on one backend at one precision.

    ``manifest`` is that of a cold process with the engine in the cache, with the percentiles of
    the interleaved run and the quality against the FP32 reference put in.
    """

    manifest: Manifest
    first_build_seconds: Seconds


class FailedRow(Record):
    """A combination that was asked for and did not run."""

    model: Text
    backend: Text
    precision: Text
    reason: Text


class PeerRow(Record):
    """A network of others in the same interleaved run."""

    name: Text
    title: Text
    parameters: Count
    model_only: Timing
    end_to_end: Timing


class BenchmarkReport(Record):
    """A whole run of ``bench``."""

    schema_version: Literal["1.0"]
    created_utc: UtcTime
    software: Software
    hardware: Hardware
    environment: Environment
    rows: tuple[Row, ...]
    failed: tuple[FailedRow, ...]
    peers: tuple[PeerRow, ...]


def complete(manifest: Manifest, timing: LatencySummary, quality: QualityRetention) -> Manifest:
    """Put percentiles and quality into the manifest of a cold run."""
    latency = latency_of(manifest.latency.stages_ms, timing)
    return Manifest.model_validate(
        {**dict(manifest), "latency": latency, "quality_retention": quality}
    )
