from __future__ import annotations

import pytest
from BrainSegAccelLib.cli.time_left import WorkLines, in_words, work_on_stderr


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (40, "40 s"),
        (90, "2 min"),
        (3540, "59 min"),
        (3599, "1 h 0 min"),
        (8040, "2 h 14 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


def test_time_left_is_told_once_something_is_done(capsys) -> None:
    now = [0.0]
    lines = WorkLines(lambda: now[0])
    lines.begin("one")
    now[0] = 30.0
    lines.advance(0.25)
    lines.begin("two")
    now[0] = 120.0
    lines.advance(1.0)
    assert capsys.readouterr().err.splitlines() == ["one ...", "two ... (about 2 min left)"]


def test_elsewhere_than_on_a_terminal_lines_are_written(capsys) -> None:
    with work_on_stderr() as work:
        work.begin("first")
        work.advance(1.0)
    assert capsys.readouterr().err == "first ...\n"
