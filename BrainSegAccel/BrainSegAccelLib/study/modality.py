"""The four MR sequences, in the network's channel order."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations


class Modality(StrEnum):
    """An MR sequence; definition order is the network's channel order (fixed contract)."""

    T1 = "t1"
    T1C = "t1c"
    T2 = "t2"
    FLAIR = "flair"

    @property
    def label(self) -> str:
        """Name as people write it, e.g. ``T1c``."""
        return {"t1": "T1", "t1c": "T1c", "t2": "T2", "flair": "FLAIR"}[self.value]

    @property
    def channel(self) -> int:
        """Index of this modality in the network input, 0 to 3."""
        return list(Modality).index(self)


REFERENCE_PRIORITY = (Modality.T1C, Modality.T1, Modality.FLAIR, Modality.T2)
"""Whose grid the result is written on: the first of these that is present."""


def reference_of(available: Iterable[Modality]) -> Modality:
    """Return the modality whose grid the result is written on.

    :raises ValueError: if ``available`` is empty.
    """
    present = set(available)
    for modality in REFERENCE_PRIORITY:
        if modality in present:
            return modality
    raise ValueError("no modality available")


def subsets() -> list[tuple[Modality, ...]]:
    """Return the fifteen non-empty subsets of the modalities, the smallest first.

    Each is in channel order; the last one holds all four.
    """
    return [chosen for count in range(1, 5) for chosen in combinations(Modality, count)]
