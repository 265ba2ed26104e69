from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.manifest.preprocessing import AlignmentRecord
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision, Fit

BEFORE, AFTER = Fit(0.31, 0.04, None), Fit(0.92, 0.24, 0.4)
MOTION = np.eye(4)
MOTION[:3, 3] = (1.5, -2.0, 3.25)


def test_a_registration_is_told_with_its_evidence() -> None:
    found = Alignment(Decision.REGISTERED, MOTION, False, BEFORE, AFTER, 4.1, 6.0, 0.97)
    document = AlignmentRecord.of(found).model_dump(mode="json")
    assert document["decision"] == "registered"
    assert document["before"]["offset_mm"] is None
    assert document["before"]["reason"]
    assert document["after"]["offset_mm"] == 0.4
    assert document["to_reference"] == MOTION.tolist()
    assert "reason" not in document


@pytest.mark.parametrize(
    "found",
    [
        Alignment(Decision.OFF, np.eye(4), True),
        Alignment(Decision.AGREES, np.eye(4), True, AFTER),
        Alignment(Decision.REJECTED, np.eye(4), False, BEFORE, reason="it ended with an error"),
    ],
)
def test_what_was_not_measured_is_null_beside_a_reason(found: Alignment) -> None:
    document = AlignmentRecord.of(found).model_dump(mode="json")
    assert document["after"] is None
    assert document["moved_mm"] is None
    assert document["reason"] == "nothing was registered"
    assert document["objection"] == found.reason
