"""Calibration cases, phantoms or one's own, prepared as every run prepares them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..io.read import read_study
from ..io.source import find_sources
from ..models.calibration import Array, Calibration, calibration_of
from ..resources import resource
from ..runs.runner import Runner

WritePhantom = Callable[[int, Path], object]
"""Writes the synthetic case of a seed as files into a folder."""


def calibrate_on_cases(folders: Sequence[Path], pipeline: Runner) -> Calibration:
    """Prepare cases of one's own.

    :param folders: one a case, at least one.
    :raises InputError: a folder without images that can be read.
    """
    return calibration_of([_prepared(folder, pipeline) for folder in folders])


def calibrate_on_phantoms(
    seed: int, count: int, write_phantom: WritePhantom, pipeline: Runner
) -> Calibration:
    """Prepare phantoms of the seeds ``seed`` to ``seed + count - 1``."""
    cases = []
    for each in range(seed, seed + count):
        with tempfile.TemporaryDirectory() as folder:
            write_phantom(each, Path(folder))
            cases.append(_prepared(Path(folder), pipeline))
    return calibration_of(cases, seed)


def sample_case(pipeline: Runner) -> tuple[Array, Array]:
    """Return x and availability of the synthetic case that ships."""
    return _prepared(resource("SampleData", "phantom"), pipeline)


def _prepared(folder: Path, pipeline: Runner) -> tuple[Array, Array]:
    """Return x and availability of the window of the static shape in the middle of a case."""
    seen = pipeline.prepare(read_study(find_sources(folder)))
    window = pipeline.package.card.inference.window
    first = [(n - w) // 2 for n, w in zip(seen.x.shape[2:], window, strict=True)]
    box = tuple(slice(f, f + w) for f, w in zip(first, window, strict=True))
    return np.ascontiguousarray(seen.x[(slice(None), slice(None), *box)]), seen.availability
