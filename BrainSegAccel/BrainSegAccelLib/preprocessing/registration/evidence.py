"""What a registration came to, and on what evidence, as the manifest tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer

from ...records import Measured, Millimetres, Score, Share

_Exact = Annotated[
    float, PlainSerializer(lambda value: round(value, 6), return_type=float, when_used="json")
]
"""Computed with as it is, and rounded only where it is written."""
_Row = tuple[_Exact, _Exact, _Exact, _Exact]
_STAYS = np.eye(4)


class Fit(Measured):
    """How alike two volumes are at one relative position, and around it."""

    similarity: Score = Field(description="Mattes mutual information in nats.")
    distinctness: Score = Field(
        description="Share of it that a motion of 8 mm loses on average: about 0.2 where the same "
        "anatomy lies on itself, 0.1 and less where it does not."
    )
    offset_mm: Millimetres | None = Field(
        description="Estimated distance to the most similar position nearby."
    )

    @classmethod
    def of(cls, similarity: float, distinctness: float, offset_mm: float | None) -> Self:
        """Take the figures of a comparison; no offset where the position lies on no peak."""
        return cls(
            similarity=similarity,
            distinctness=distinctness,
            offset_mm=offset_mm,
            reason=None if offset_mm is not None else "the position lies on no peak",
        )


class Decision(StrEnum):
    """What became of a modality's position."""

    OFF = "not asked for"
    AGREES = "agrees already"
    TOO_SMALL = "too small to tell"
    REGISTERED = "registered"
    REJECTED = "rejected"


class Alignment(Measured):
    """How one modality was brought onto the reference, and the evidence for it."""

    decision: Decision
    objection: str = Field(description="Why a registration was not used, else empty.")
    same_grid: bool = Field(description="Whether the headers put both on one grid.")
    before: Fit | None = Field(description="By the headers.")
    after: Fit | None = Field(description="By the registration, used or not.")
    moved_mm: Millimetres | None = Field(
        description="How far the registration moves the centre of the head."
    )
    turned_deg: Score | None = Field(description="By how much it turns it.")
    overlap: Share | None = Field(
        description="Share of the reference's head that then lies within the modality's volume."
    )
    to_reference: tuple[_Row, _Row, _Row, _Row] = Field(
        description="4x4 rigid, maps the modality's patient space to the reference's, LPS mm; the "
        "identity unless it was registered."
    )

    @classmethod
    def of(
        cls,
        decision: Decision,
        motion: NDArray[np.float64] = _STAYS,
        *,
        same_grid: bool,
        objection: str = "",
        before: Fit | None = None,
        after: Fit | None = None,
        moved_mm: float | None = None,
        turned_deg: float | None = None,
        overlap: float | None = None,
    ) -> Self:
        """Say what a registration came to, or that there was none.

        :param motion: see `motion`.
        """
        evidence = (before, after, moved_mm, turned_deg, overlap)
        return cls(
            decision=decision,
            objection=objection,
            same_grid=same_grid,
            before=before,
            after=after,
            moved_mm=moved_mm,
            turned_deg=turned_deg,
            overlap=overlap,
            to_reference=motion.tolist(),
            reason="nothing was registered" if None in evidence else None,
        )

    @property
    def motion(self) -> NDArray[np.float64]:
        """4x4 rigid, moves the modality onto the reference, LPS mm."""
        return np.array(self.to_reference)
