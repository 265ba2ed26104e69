"""Windows of cases: where they lie, and what they show."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..geometry.bounding_box import bounding_box
from ..geometry.volume import Box
from ..synthesis.geometry import Shape


def box_of(mask: Tensor) -> Box:
    """Return the smallest box around ``mask`` [D, H, W]; everything if it is empty."""
    depth, height, width = mask.shape
    everything = slice(0, depth), slice(0, height), slice(0, width)
    return bounding_box(mask.cpu().numpy()) or everything


def centred_window(mask: Tensor, shape: Shape, jitter: Sequence[int] = (0, 0, 0)) -> list[int]:
    """First voxel of a window of ``shape`` with the mask's bounding box in its middle."""
    return [
        (side.start + side.stop) // 2 - size // 2 + moved
        for side, size, moved in zip(box_of(mask), shape, jitter, strict=True)
    ]


def cut(maps: Tensor, start: Sequence[int], shape: Shape) -> Tensor:
    """The window [C, *shape] of ``maps`` [C, D, H, W] at ``start``, zero beyond the border."""
    window = maps.new_zeros((maps.shape[0], *shape))
    source, target = [slice(None)], [slice(None)]
    for first, size, whole in zip(start, shape, maps.shape[1:], strict=True):
        low, high = max(0, first), min(whole, first + size)
        if low >= high:
            return window
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    window[tuple(target)] = maps[tuple(source)]
    return window
