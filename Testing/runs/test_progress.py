from __future__ import annotations

import pytest
from BrainSegAccelLib.runs.progress import StageClock


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, stage: str) -> None:
        self.heard.append(stage)

    def advance(self, fraction: float) -> None:
        self.heard.append(f"{fraction:.1f}")


def test_stages_are_told_and_timed_in_order() -> None:
    listener = Listener()
    clock = StageClock(listener)
    clock.add("start", 0.5)
    with clock.stage("read") as progress:
        progress.advance(0.5)
    with clock.stage("network"):
        pass
    with clock.stage("read"):
        pass
    assert listener.heard == ["read", "0.5", "network", "read"]
    assert list(clock.stages_ms) == ["start", "read", "network"]
    assert clock.stages_ms["start"] == 500.0
    assert clock.stages_ms["read"] > 0.0


def test_a_stage_that_fails_is_timed_too() -> None:
    clock = StageClock()
    with pytest.raises(ValueError, match="broken"), clock.stage("read"):
        raise ValueError("broken")
    assert "read" in clock.stages_ms
