"""What a registration came to, and on what evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fit:
    """How alike two volumes are at one relative position, and around it.

    :param similarity: Mattes mutual information in nats, 0 where they do not meet.
    :param distinctness: share of it that a motion of 8 mm loses on average: about 0.2 where the
        same anatomy lies on itself, 0.1 and less where it does not.
    :param offset_mm: estimated distance to the most similar position nearby; None where the
        position lies on no peak of the similarity.
    """

    similarity: float
    distinctness: float
    offset_mm: float | None


class Decision(StrEnum):
    """What became of a modality's position."""

    OFF = "not asked for"
    AGREES = "agrees already"
    TOO_SMALL = "too small to tell"
    REGISTERED = "registered"
    REJECTED = "rejected"


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where a modality lies against the reference, and why that is believed.

    :param to_reference: 4x4 rigid, moves it onto the reference, LPS mm; the identity unless it
        was registered.
    :param reason: why a registration was rejected, else empty.
    :param same_grid: whether the headers put both on one grid.
    :param before: how the two fit by their headers; None if nobody looked, likewise the rest.
    :param after: how they fit by the registration, used or not; None if there was none.
    :param moved_mm: how far that moves the centre of the reference's head; ``turned_deg``: its
        angle; ``overlap``: share of that head which then lies within the modality's volume.
    """

    decision: Decision
    to_reference: NDArray[np.float64]
    same_grid: bool
    before: Fit | None = None
    after: Fit | None = None
    moved_mm: float | None = None
    turned_deg: float | None = None
    overlap: float | None = None
    reason: str = ""
