"""A local Dask cluster whose workers are killed in the middle of a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from BrainSegAccelLib.batch.task import Status
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.runs.runner import local_pipeline
from mortal import DEADLY, DIARY, begun_runs, deadly_pipeline, mortal_pipeline

distributed = pytest.importorskip("distributed")

from BrainSegAccelLib.batch.cluster import run_on_cluster  # noqa: E402


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set before the workers start: they inherit it."""
    folder = tmp_path / "diary"
    folder.mkdir()
    monkeypatch.setenv(DIARY, str(folder))
    return folder


@pytest.fixture
def cluster(make_tasks: Any, diary: Path) -> Iterator[Any]:
    """Two workers of one thread, each a process that is started anew when it dies."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=50,
    ) as cluster:
        yield cluster


@pytest.mark.slow
def test_killed_workers_lose_no_case_and_do_none_twice(make_tasks, cluster, diary) -> None:
    tasks = make_tasks(6)
    outcomes = list(run_on_cluster(tasks, mortal_pipeline, cluster.scheduler_address))
    assert Counter(o.case for o in outcomes) == Counter(task.case for task in tasks)
    assert {o.status for o in outcomes} <= {Status.DONE, Status.KEPT}
    # A finished case whose worker died before it could tell is found finished, not run again.
    assert begun_runs(diary) == len(tasks) + len(DEADLY)
    assert all(task.output.is_file() and task.manifest.is_file() for task in tasks)
    again = list(run_on_cluster(tasks, local_pipeline, cluster.scheduler_address))
    assert {o.status for o in again} == {Status.KEPT}


@pytest.mark.slow
def test_a_case_that_kills_every_worker_is_given_up_and_a_bad_one_is_recorded(
    make_tasks, cluster
) -> None:
    bad, deadly = make_tasks(2)
    (bad.folder / "t1c.nii.gz").write_bytes(b"")
    (outcome,) = run_on_cluster([bad], local_pipeline, cluster.scheduler_address)
    assert (outcome.status, outcome.error[:22]) == (Status.FAILED, "t1c.nii.gz: empty file")
    cluster.scheduler.allowed_failures = 0
    (outcome,) = run_on_cluster([deadly], deadly_pipeline, cluster.scheduler_address)
    assert outcome.status is Status.FAILED
    assert "workers died over it" in outcome.error


def test_no_scheduler_answers(make_tasks) -> None:
    with pytest.raises(InputError, match=r":9: no Dask scheduler answers"):
        list(run_on_cluster(make_tasks(1), local_pipeline, "tcp://127.0.0.1:9"))
