from __future__ import annotations

from pathlib import Path

from BrainSegAccelLib.worker.time_left import History

STAGES = (("engine", 1.25), ("network", 2.5))


def test_the_last_task_of_a_kind_is_remembered(tmp_path: Path) -> None:
    History(tmp_path).remember("a", STAGES[:1])
    History(tmp_path).remember("a", STAGES)
    assert History(tmp_path).recall("a") == STAGES
    assert History(tmp_path).recall("b") is None
    assert History(tmp_path).recall("b", "a") == STAGES


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    history = History(tmp_path)
    for number in range(100):
        history.remember(str(number), STAGES)
    assert history.recall("99") == STAGES
    assert history.recall("0") is None


def test_what_cannot_be_read_or_written_is_as_good_as_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    (tmp_path / "stages.json").write_text('{"a": [["engine"')
    assert history.recall("a") is None
    history.remember("a", STAGES)
    assert history.recall("a") == STAGES
    nowhere = History(tmp_path / "stages.json")
    nowhere.remember("a", STAGES)
    assert nowhere.recall("a") is None
