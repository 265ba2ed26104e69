from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision, Fit

BEFORE, AFTER = Fit.of(0.31, 0.04, None), Fit.of(0.92, 0.24, 0.4)
MOTION = np.eye(4)
MOTION[:3, 3] = (1.5, -2.0, 3.25)


def test_a_registration_is_told_with_its_evidence() -> None:
    found = Alignment.of(
        Decision.REGISTERED,
        MOTION,
        same_grid=False,
        before=BEFORE,
        after=AFTER,
        moved_mm=4.1,
        turned_deg=6.0,
        overlap=0.97,
    )
    document = found.model_dump(mode="json")
    assert document["decision"] == "registered"
    assert document["before"]["offset_mm"] is None
    assert document["before"]["reason"]
    assert document["after"]["offset_mm"] == 0.4
    assert document["to_reference"] == MOTION.tolist()
    assert "reason" not in document


@pytest.mark.parametrize(
    "found",
    [
        Alignment.of(Decision.OFF, same_grid=True),
        Alignment.of(Decision.AGREES, same_grid=True, before=AFTER),
        Alignment.of(Decision.REJECTED, same_grid=False, before=BEFORE, objection="no overlap"),
    ],
)
def test_what_was_not_measured_is_null_beside_a_reason(found: Alignment) -> None:
    document = found.model_dump(mode="json")
    assert document["after"] is None
    assert document["moved_mm"] is None
    assert document["reason"] == "nothing was registered"
    assert document["objection"] == found.objection


def test_a_motion_is_exact_where_it_is_used_and_rounded_where_it_is_written() -> None:
    motion = MOTION.copy()
    motion[0, 3] += 1e-9
    found = Alignment.of(Decision.REGISTERED, motion, same_grid=False)
    np.testing.assert_array_equal(found.motion, motion)
    assert found.model_dump(mode="json")["to_reference"] == MOTION.tolist()
