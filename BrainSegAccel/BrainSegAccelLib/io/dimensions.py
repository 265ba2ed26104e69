"""Three axes, no more and no fewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


def volume_size(sizes: Sequence[int], path: Path) -> tuple[int, int, int]:
    """Return the voxels along (i, j, k), having dropped trailing axes of length one.

    :param sizes: voxels along every axis of the file, first axis i.
    :param path: the file, for messages.
    :raises InputError: a 2-D image (or a single slice), or more than three axes.
    """
    kept = list(sizes)
    while len(kept) > 3 and kept[-1] == 1:
        kept.pop()
    if len(kept) != 3 or 1 in kept:
        rank = len(kept) if len(kept) > 3 else sum(n > 1 for n in kept)
        raise InputError(
            f"{rank}-D image ({' x '.join(map(str, kept))} voxels)",
            where=str(path),
            remedy="give one three-dimensional volume",
        )
    i, j, k = kept
    return i, j, k
