"""A finished manifest, completed by what happened to the run outside of it and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..study.segmentation import Segmentation
from .build import latency_of, record_output
from .model import Manifest

if TYPE_CHECKING:
    from ..postprocessing.refinement import ResolvedRefinement


def add_stages(
    manifest: Manifest,
    before: Mapping[str, float] | None = None,
    after: Mapping[str, float] | None = None,
) -> Manifest:
    """Return the manifest with further stages, e.g. of the program that asked for the run.

    :param before: wall milliseconds by name, ahead of the stages that are there.
    :param after: behind them. A name that is there already adds up in its place.
    """
    stages: dict[str, float] = {}
    for part in (before or {}, manifest.latency.stages_ms, after or {}):
        for name, milliseconds in part.items():
            stages[name] = stages.get(name, 0.0) + milliseconds
    return manifest.model_copy(update={"latency": latency_of(stages, manifest.latency)})


def with_output(
    manifest: Manifest, segmentation: Segmentation, refinement: ResolvedRefinement
) -> Manifest:
    """Return the manifest with another segmentation of the same run in the scene.

    :param segmentation: replaces the one that is there.
    :param refinement: with what it was labelled.
    """
    output = record_output(segmentation, None, refinement, manifest.outputs[0].scope)
    return manifest.model_copy(update={"outputs": (output,)})
