from __future__ import annotations

from itertools import pairwise

import pytest
from BrainSegAccelLib.worker.time_left import Timeline
from hypothesis import given, settings
from hypothesis import strategies as st

PLAN = (("engine", 2.0), ("network", 6.0), ("postprocess", 2.0))


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_without_a_plan_nothing_is_known(time: Time) -> None:
    line = Timeline(time)
    line.begin("network")
    assert (line.stage, line.fraction(), line.seconds_left()) == ("network", None, None)


def test_a_planned_task_goes_from_nothing_to_nearly_all(time: Time) -> None:
    line = Timeline(time)
    line.plan(PLAN)
    line.begin("engine")
    assert (line.fraction(), line.seconds_left()) == (0.0, 10.0)
    time.now += 2.0
    line.begin("network")
    assert line.fraction() == pytest.approx(0.2)
    line.advance(0.5)
    assert line.fraction() == pytest.approx(0.5)
    assert line.seconds_left() == pytest.approx(5.0)
    time.now += 6.0
    line.begin("postprocess")
    time.now += 1.0
    assert line.fraction() == pytest.approx(0.9)
    time.now += 1000.0
    assert 0.9 < (line.fraction() or 0.0) < 1.0


def test_what_came_before_the_plan_counts(time: Time) -> None:
    line = Timeline(time)
    line.begin("start worker")
    time.now += 10.0
    line.plan(PLAN)
    assert line.fraction() == pytest.approx(0.5)
    assert line.seconds_left() == pytest.approx(10.0)


def test_a_stage_that_is_left_out_is_jumped_over(time: Time) -> None:
    line = Timeline(time)
    line.plan(PLAN)
    line.begin("network")
    assert line.fraction() == pytest.approx(0.2)


def test_a_stage_that_is_not_planned_stands_still_behind_the_one_before(time: Time) -> None:
    line = Timeline(time)
    line.plan(PLAN)
    line.begin("engine")
    line.begin("surprise")
    time.now += 50.0
    assert line.stage == "surprise"
    assert line.fraction() == pytest.approx(0.2)


steps = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(["engine", "network", "postprocess", "other"])),
    st.tuples(st.just("advance"), st.floats(0, 1)),
    st.tuples(st.just("wait"), st.floats(0, 5)),
)


@given(st.lists(steps, max_size=30))
@settings(deadline=None)
def test_the_bar_never_goes_back(course: list[tuple[str, str | float]]) -> None:
    time = Time()
    line = Timeline(time)
    line.plan(PLAN)
    shown = []
    for what, value in course:
        if what == "begin":
            line.begin(str(value))
        elif what == "advance":
            line.advance(float(value))
        else:
            time.now += float(value)
        shown.append(line.fraction() or 0.0)
        assert (line.seconds_left() or 0.0) >= 0.0
    assert all(before <= after for before, after in pairwise(shown))
    assert all(0.0 <= fraction < 1.0 for fraction in shown)
