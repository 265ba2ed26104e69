"""Cases shared out to processes on this machine, each with an engine that stays warm.

A process that dies (killed, out of memory) takes down nothing but the case that it was running,
which is run once more by a new process: that is what `concurrent.futures` cannot do, whose pool
breaks as a whole without telling which case broke it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..runs.runner import PipelineFactory
from ..system.allocator import keep_freed_memory
from .task import Outcome, Status, Task, run_task

_ATTEMPTS = 2
_SECONDS_TO_UNWIND = 20.0


def run_in_this_process(tasks: Sequence[Task], make_pipeline: PipelineFactory) -> Iterator[Outcome]:
    """Run one case after the other."""
    for task in tasks:
        yield run_task(task, make_pipeline)


def run_in_processes(
    tasks: Sequence[Task], make_pipeline: PipelineFactory, count: int
) -> Iterator[Outcome]:
    """Run the cases in several processes; outcomes come in the order in which cases end.

    Leaving the iteration early, by Ctrl-C too, stops the processes; what they were writing is
    removed and finished cases stay.

    :param make_pipeline: can be pickled.
    :param count: how many processes; each gets its share of the cores where the system allows it.
    """
    waiting, deaths = deque(tasks), Counter[str]()
    workers = [_Worker(make_pipeline, share) for share in _shares(min(count, len(tasks)))]
    try:
        for worker in workers:
            worker.give(waiting.popleft())
        while busy := {worker.connection: worker for worker in workers if worker.task}:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker = busy[connection]
                task, outcome = worker.take()
                if outcome is not None:
                    yield outcome
                else:
                    deaths[task.case] += 1
                    if deaths[task.case] < _ATTEMPTS:
                        waiting.append(task)
                    else:
                        yield Outcome(task.case, Status.FAILED, _died(_ATTEMPTS))
                if waiting:
                    worker.give(waiting.popleft())
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.end()


class _Worker:
    """A process and the case that it is running; a new process once it has died."""

    def __init__(self, make_pipeline: PipelineFactory, cores: frozenset[int]) -> None:
        self._make_pipeline, self._cores = make_pipeline, cores
        self.task: Task | None = None
        self._start()

    def _start(self) -> None:
        spawned = multiprocessing.get_context("spawn")  # forked threads of runtimes would hang
        self.connection, theirs = spawned.Pipe()
        self.process: BaseProcess = spawned.Process(
            target=_serve, args=(theirs, self._make_pipeline, self._cores), daemon=True
        )
        self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        """Start a case, in a new process if the last one has died."""
        if not self.process.is_alive():
            self.connection.close()
            self._start()
        self.task = task
        self.connection.send(task)

    def take(self) -> tuple[Task, Outcome | None]:
        """Return the case that has ended, and None if the process died over it."""
        task, self.task = self.task, None
        assert task is not None
        try:
            return task, self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return task, None

    def stop(self) -> None:
        """Ask the process to unwind; one that does not hear it finds nobody to report to."""
        self.process.terminate()
        self.connection.close()

    def end(self) -> None:
        """Wait until the process has unwound, and no longer than that takes."""
        self.process.join(_SECONDS_TO_UNWIND)
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, make_pipeline: PipelineFactory, cores: frozenset[int]) -> None:
    """Run cases until there are no more; what a process does."""
    from ..system.process import terminable, warnings_in_one_line

    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: the parent decides
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        with terminable(), warnings_in_one_line():
            while True:
                connection.send(run_task(connection.recv(), make_pipeline))
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _shares(count: int) -> list[frozenset[int]]:
    """Return which cores each process may use; empty where they cannot be shared out evenly.

    Runtimes take as many threads as a process has cores.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [frozenset()] * count
    cores = sorted(os.sched_getaffinity(0))
    if count > len(cores):
        return [frozenset()] * count
    return [frozenset(cores[start::count]) for start in range(count)]


def _died(times: int) -> str:
    return f"its process died {times} times, killed or out of memory; try fewer --workers"
