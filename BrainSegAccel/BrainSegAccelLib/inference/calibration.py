"""Calibration cases, phantoms or one's own, prepared as every run prepares them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..io.read import read_study
from ..io.source import find_sources
from ..models.calibration import Array, Calibration, calibration_of
from ..models.card import ModelCard
from ..preprocessing.brain_extraction import FindBrain
from ..preprocessing.preprocess import preprocess
from ..resources import resource
from .brain_finder import find_brain

WritePhantom = Callable[[int, Path], object]
"""Writes the synthetic case of a seed as files into a folder."""


def calibrate_on_cases(
    folders: Sequence[Path], card: ModelCard, find_brain: FindBrain = find_brain
) -> Calibration:
    """Prepare cases of one's own for a model.

    :param folders: one a case, at least one.
    :raises InputError: a folder without images that can be read.
    """
    return calibration_of([_prepared(folder, card, find_brain) for folder in folders])


def calibrate_on_phantoms(
    seed: int,
    count: int,
    write_phantom: WritePhantom,
    card: ModelCard,
    find_brain: FindBrain = find_brain,
) -> Calibration:
    """Prepare phantoms of the seeds ``seed`` to ``seed + count - 1`` for a model."""
    cases = []
    for each in range(seed, seed + count):
        with tempfile.TemporaryDirectory() as folder:
            write_phantom(each, Path(folder))
            cases.append(_prepared(Path(folder), card, find_brain))
    return calibration_of(cases, seed)


def sample_case(card: ModelCard, find_brain: FindBrain = find_brain) -> tuple[Array, Array]:
    """Return x and availability of the synthetic case that ships, for a model."""
    return _prepared(resource("SampleData", "phantom"), card, find_brain)


def _prepared(folder: Path, card: ModelCard, find_brain: FindBrain) -> tuple[Array, Array]:
    """Return x and availability of one window in the middle of a case."""
    window = card.inference.window
    study = read_study(find_sources(folder))
    given = preprocess(study, card.inputs, window, find_brain=find_brain)
    first = [(n - w) // 2 for n, w in zip(given.x.shape[2:], window, strict=True)]
    box = tuple(slice(f, f + w) for f, w in zip(first, window, strict=True))
    return np.ascontiguousarray(given.x[(slice(None), slice(None), *box)]), given.availability
