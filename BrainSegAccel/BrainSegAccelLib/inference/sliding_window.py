"""Running an engine of one static shape over a volume of any shape."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..backends.protocol import Engine, Shape

OVERLAP = 0.25
"""Smallest share of a window that its neighbour covers too."""


def window_starts(length: int, window: int) -> list[int]:
    """First voxels of evenly spread windows that cover an axis, overlapping by `OVERLAP` at least.

    :param length: voxels along the axis, at least ``window``.
    """
    stride = max(int(window * (1.0 - OVERLAP)), 1)
    steps = -(-(length - window) // stride)
    if steps == 0:
        return [0]
    return [round(step * (length - window) / steps) for step in range(steps + 1)]


def count_windows(shape: Shape, window: Shape) -> int:
    """Return how many windows cover a volume; 1 is the whole-brain pass."""
    return int(np.prod([len(window_starts(n, w)) for n, w in zip(shape, window, strict=True)]))


def infer(
    engine: Engine,
    x: NDArray[np.float32],
    availability: NDArray[np.float32],
    advance: Callable[[float], None],
) -> NDArray[np.float32]:
    """Run the engine once where the volume has its shape, else over overlapping windows.

    Windows are averaged with weights that fall off linearly from the centre of each window to
    its border, because a voxel near a border saw less of its surroundings.

    :param x: float32 (1, 4, D, H, W), each side at least the engine's.
    :param availability: float32 (1, 4).
    :param advance: told the share of windows that are done.
    :returns: probabilities float32 (3, D, H, W) of ET, TC, WT.
    """
    window = engine.info.shape
    shape = x.shape[2:]
    if shape == tuple(window):
        return engine(x, availability)
    starts = list(product(*(window_starts(n, w) for n, w in zip(shape, window, strict=True))))
    weight = _weight(window)
    total = np.zeros((3, *shape), dtype=np.float32)
    norm = np.zeros(shape, dtype=np.float32)
    for done, start in enumerate(starts, 1):
        box = tuple(slice(s, s + w) for s, w in zip(start, window, strict=True))
        part = np.ascontiguousarray(x[(slice(None), slice(None), *box)])
        if part.any():
            total[(slice(None), *box)] += weight * engine(part, availability)
        norm[box] += weight
        advance(done / len(starts))
    total /= norm
    return total


def _weight(window: Shape) -> NDArray[np.float32]:
    """Product of three triangles, 1 at the centre, small but positive at the border."""
    sides = [1.0 - np.abs(2.0 * np.arange(n) + 1.0 - n) / (n + 1.0) for n in window]
    return np.einsum("i,j,k->ijk", *sides).astype(np.float32)
