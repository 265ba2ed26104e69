"""Cases shared out by a Dask scheduler to workers on any machines, under Slurm for instance.

Dask runs a case again whose worker has died. A case that was finished by then is found finished
and kept, so every case is done once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

from ..errors import InputError, RunError, explain
from ..runs.runner import PipelineFactory
from .task import Outcome, Status, Task, run_task

_SECONDS_TO_CONNECT = 10


def run_on_cluster(
    tasks: Sequence[Task], make_pipeline: PipelineFactory, address: str
) -> Iterator[Outcome]:
    """Run the cases on the workers of a cluster; outcomes come in the order in which cases end.

    Leaving the iteration early takes back what has not begun.

    :param make_pipeline: can be pickled.
    :param address: of the scheduler, e.g. ``tcp://10.0.0.5:8786``.
    :raises InputError: no scheduler answers there.
    :raises RunError: the scheduler went away in the middle.
    :raises ImportError: Dask is not installed.
    """
    from distributed import Client, as_completed
    from distributed.scheduler import KilledWorker

    try:
        client = Client(address, timeout=_SECONDS_TO_CONNECT)
    except (OSError, ValueError) as error:
        raise InputError(
            "no Dask scheduler answers",
            where=address,
            remedy="start one with: dask scheduler; it says its address",
        ) from error
    with client:
        futures = {
            client.submit(run_task, task, make_pipeline, pure=False): task.case for task in tasks
        }
        try:
            for future in as_completed(futures):
                try:
                    problem = future.exception()
                except CancelledError as gone:
                    raise RunError(
                        "the Dask scheduler is gone, or has taken a case back",
                        where=address,
                        remedy="start it again; the same command goes on where this one ended",
                    ) from gone
                if problem is None:
                    yield future.result()
                elif isinstance(problem, KilledWorker):
                    died = "workers died over it again and again, killed or out of memory"
                    yield Outcome(futures[future], Status.FAILED, died)
                else:
                    yield Outcome(futures[future], Status.FAILED, explain(problem))
        finally:
            client.cancel(list(futures))
