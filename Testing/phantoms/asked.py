"""Requests to a worker, for tests that change an option or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.worker.messages import Segment, WarmUp


def asking(options: RunOptions, **changes: Any) -> RunOptions:
    """Return options with others; ``backend`` is that of their engine."""
    if "backend" in changes:
        backend = changes.pop("backend")
        changes["engine"] = options.engine.model_copy(update={"backend": backend})
    return options.model_copy(update=changes)


def segment(volumes: Mapping[Modality, Volume], options: RunOptions, **changes: Any) -> Segment:
    """Return a request to segment with other options."""
    return Segment(volumes=volumes, options=asking(options, **changes))


def warm_up(options: RunOptions, **changes: Any) -> WarmUp:
    """Return a request to build an engine with other options."""
    return WarmUp(options=asking(options, **changes))


def on(backend: str, model: object) -> RunOptions:
    """Return the usual options with a model on a backend."""
    return RunOptions(model=str(model), engine=EngineChoice(backend=backend))
