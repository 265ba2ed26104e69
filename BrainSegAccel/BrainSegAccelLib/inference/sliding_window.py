"""Running an engine of one static shape over a volume of any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from ..backends.protocol import Engine, Shape
from ..models.description import BACKGROUND_CHANNEL, ImportanceMap, Inference, Outputs

GAUSSIAN_SIGMA = 0.125
"""Standard deviation of the importance map ``gaussian``, as a share of the window."""

Array = NDArray[np.float32]


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """First voxels of evenly spread windows that cover an axis.

    :param length: voxels along the axis, at least ``window``.
    :param overlap: smallest share of a window that its neighbour covers too.
    """
    stride = max(int(window * (1.0 - overlap)), 1)
    steps = -(-(length - window) // stride)
    if steps == 0:
        return [0]
    return [round(step * (length - window) / steps) for step in range(steps + 1)]


def count_windows(shape: Shape, inference: Inference) -> int:
    """Return how many windows cover a volume; 1 is the whole-brain pass."""
    return len(_starts(shape, inference))


def sliding_window_inference(
    engine: Engine,
    x: Array,
    availability: Array,
    inference: Inference,
    outputs: Outputs,
    advance: Callable[[float], None] = lambda share: None,
) -> Array:
    """Run the engine once where the volume has its shape, else over overlapping windows.

    Windows are averaged, a voxel by its place in each: near the border of a window it saw less of
    its surroundings. A window of zeros shows nothing and is not run.

    :param engine: of the shape ``inference.window``.
    :param x: float32 (1, C, D, H, W), each side at least the engine's.
    :param availability: float32 (1, C).
    :param advance: told the share of windows that are done.
    :returns: probabilities float32 (C, D, H, W), a channel for each of ``outputs``.
    """
    window, shape = inference.window, x.shape[2:]
    axes = inference.mirrored_axes
    if shape == window:
        return _run(engine, x, availability, axes)
    starts = _starts(shape, inference)
    weight = importance_map(window, inference.importance_map)
    nothing = np.array([name == BACKGROUND_CHANNEL for name in outputs.channels], np.float32)
    nothing = nothing[:, None, None, None]
    total = np.zeros((len(outputs.channels), *shape), dtype=np.float32)
    norm = np.zeros(shape, dtype=np.float32)
    for done, start in enumerate(starts, 1):
        box = tuple(slice(s, s + w) for s, w in zip(start, window, strict=True))
        part = np.ascontiguousarray(x[(slice(None), slice(None), *box)])
        found = _run(engine, part, availability, axes) if part.any() else nothing
        total[(slice(None), *box)] += weight * found
        norm[box] += weight
        advance(done / len(starts))
    total /= norm
    return total


def importance_map(window: Shape, kind: ImportanceMap) -> Array:
    """Weight of each voxel of a window: a product along the axes, 1 at the centre or nearly so.

    ``triangular`` falls off linearly and is small but positive at the border; ``gaussian`` has a
    standard deviation of `GAUSSIAN_SIGMA` of each side; ``constant`` is 1.

    :returns: float32, shaped as the window.
    """
    sides = []
    for n in window:
        # From the centre, in half voxels.
        offset = 2.0 * np.arange(n) + 1.0 - n
        if kind == "triangular":
            sides.append(1.0 - np.abs(offset) / (n + 1.0))
        elif kind == "gaussian":
            sides.append(np.exp(-0.5 * (offset / (2.0 * n * GAUSSIAN_SIGMA)) ** 2))
        else:
            sides.append(np.ones(n))
    return np.einsum("i,j,k->ijk", *sides).astype(np.float32)


def _starts(shape: tuple[int, ...], inference: Inference) -> list[tuple[int, ...]]:
    sides = zip(shape, inference.window, strict=True)
    return list(product(*(window_starts(n, w, inference.overlap) for n, w in sides)))


def _run(engine: Engine, x: Array, availability: Array, mirrored_axes: Sequence[int]) -> Array:
    """Run the engine, and the mean over all mirrored passes where there are any."""
    if not mirrored_axes:
        return engine(x, availability)
    counts = range(len(mirrored_axes) + 1)
    passes = [axes for count in counts for axes in combinations(mirrored_axes, count)]
    total: Array | None = None
    for axes in passes:
        given = np.ascontiguousarray(np.flip(x, tuple(axis + 2 for axis in axes)))
        found = np.flip(engine(given, availability), tuple(axis + 1 for axis in axes))
        total = found.copy() if total is None else total + found
    assert total is not None
    return total / np.float32(len(passes))
