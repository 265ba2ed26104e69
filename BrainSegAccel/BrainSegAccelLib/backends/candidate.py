"""A backend that ``auto`` looked at, as it is remembered and as the manifest tells it."""

from __future__ import annotations

from pydantic import Field

from ..records import Measured, Milliseconds, Score, Text
from .protocol import Device, Precision

TOLERATED = 0.005
"""Largest loss of Dice, in any region of any calibration case, with which a candidate is taken."""
NO_REFERENCE = "delta_dice: no FP32 reference ran here"


class Candidate(Measured):
    """One backend that ``auto`` looked at."""

    backend: Text
    version: Text
    precision: Precision
    device: Device
    p50_ms: Milliseconds | None = Field(description="Median of a short model-only measurement.")
    delta_dice: Score | None = Field(
        description="Largest loss of Dice over regions and calibration cases, against the FP32 "
        "reference's own masks."
    )

    @property
    def failure(self) -> str:
        """Why it was not measured, or is not taken in spite of its time; empty if it is fit."""
        if self.p50_ms is None:
            return self.reason or ""
        if self.delta_dice is not None and self.delta_dice > TOLERATED:
            return f"loses {self.delta_dice:.4f} of Dice against FP32"
        return ""
