"""Several processes: every case done once, none lost, whatever happens to a process."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path

import pytest
from BrainSegAccelLib.batch.processes import run_in_processes, run_in_this_process
from BrainSegAccelLib.batch.task import Status
from BrainSegAccelLib.runs.runner import local_pipeline
from mortal import DEADLY, DIARY, begun_runs, deadly_pipeline, mortal_pipeline


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "diary"
    folder.mkdir()
    monkeypatch.setenv(DIARY, str(folder))
    return folder


def test_in_this_process(make_tasks) -> None:
    outcomes = run_in_this_process(make_tasks(2), local_pipeline)
    assert [(o.case, o.status) for o in outcomes] == [("c0", Status.DONE), ("c1", Status.DONE)]


def test_killed_processes_lose_no_case_and_do_none_twice(make_tasks, diary, tmp_path) -> None:
    tasks = make_tasks(6)
    outcomes = list(run_in_processes(tasks, mortal_pipeline, 2))
    assert Counter(o.case for o in outcomes) == Counter(task.case for task in tasks)
    assert {o.status for o in outcomes} == {Status.DONE}
    assert begun_runs(diary) == len(tasks) + len(DEADLY)
    results = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert results == sorted(
        f"c{n}{end}" for n in range(6) for end in (".nii.gz", ".manifest.json")
    )
    assert not multiprocessing.active_children()


def test_a_case_that_kills_its_process_twice_is_given_up(make_tasks) -> None:
    tasks = make_tasks(2)
    outcomes = list(run_in_processes(tasks, deadly_pipeline, 2))
    assert sorted(o.case for o in outcomes) == ["c0", "c1"]
    assert {o.status for o in outcomes} == {Status.FAILED}
    assert "died 2 times" in outcomes[0].error


def test_leaving_early_stops_the_processes_and_keeps_what_is_finished(make_tasks, tmp_path) -> None:
    tasks = make_tasks(5)
    running = run_in_processes(tasks, local_pipeline, 2)
    first = next(running)
    running.close()
    assert not multiprocessing.active_children()
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert f"{first.case}.nii.gz" in left
    assert not [name for name in left if name.startswith(".")]
    statuses = Counter(o.status for o in run_in_this_process(tasks, local_pipeline))
    assert statuses[Status.KEPT] >= 1
    assert statuses.total() == len(tasks)
