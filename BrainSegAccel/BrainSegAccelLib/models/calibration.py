"""Calibration cases: what the network is run on to find the scales of its INT8 convolutions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .card import CalibrationRecord

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Inputs of the network, and what the model card says of them.

    :param inputs: pairs of x, float32 (1, C, D, H, W) of the static shape, and availability,
        float32 (1, C).
    """

    inputs: tuple[tuple[Array, Array], ...]
    record: CalibrationRecord


def calibration_of(cases: Sequence[tuple[Array, Array]], seed: int | None = None) -> Calibration:
    """Make a calibration of prepared cases: each as it is, and without one modality in turn.

    A missing modality changes what later layers see, so scales have to know of it.

    :param cases: x and availability of each case; at least one.
    :param seed: of the first phantom; None for cases of one's own.
    """
    inputs: list[tuple[Array, Array]] = []
    for index, (x, availability) in enumerate(cases):
        inputs.append((x, availability))
        fewer = availability.copy()
        fewer[0, index % fewer.shape[1]] = 0.0
        if fewer.any() and not np.array_equal(fewer, availability):
            inputs.append((x * fewer[:, :, None, None, None], fewer))
    digest = hashlib.sha256()
    for pair in inputs:
        for array in pair:
            digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    record = CalibrationRecord(
        source="cases" if seed is None else "phantoms",
        count=len(inputs),
        seed=seed,
        inputs_sha256=digest.hexdigest(),
    )
    return Calibration(tuple(inputs), record)
