"""Whether a case need not be run again: its result is there, whole, and made as asked for now."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from .. import __version__
from ..io.hashing import sha256_of
from ..io.source import digest_of
from ..manifest.model import Manifest
from ..models.card import ModelCard
from ..preprocessing.options import PreprocessingOptions
from ..runs.job import Job


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest of a case; None if it is not there or not valid."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def is_finished(job: Job, card: ModelCard) -> bool:
    """Whether result and manifest are there and belong to these inputs, model and options.

    The manifest holds the hashes of inputs, weights and result, and what was asked for. A result of
    another version of this program counts as not finished.

    :param job: its inputs are opened (`io.source.open_source`).
    :param card: of the model that would run.
    """
    manifest = read_manifest(job.manifest)
    if manifest is None or not job.output.is_file():
        return False
    found = {record.modality: record.sha256 for record in manifest.inputs}
    done = manifest.preprocessing
    asked = PreprocessingOptions(done.registration, done.bias_corrected, done.brain_extraction)
    return (
        manifest.software.version == __version__
        and manifest.model.weights_sha256 == card.weights.sha256
        and manifest.runtime.selection.requested_backend == job.backend
        and manifest.precision.requested == job.precision
        and job.device in ("auto", manifest.runtime.device)
        and asked == job.preprocessing
        and found == {modality: digest_of(source) for modality, source in job.inputs.items()}
        and manifest.outputs[0].sha256 == sha256_of(job.output)
    )
