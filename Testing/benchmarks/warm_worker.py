"""What the way through the worker process adds to a run.

Segments one case again and again, in this process and by a warm worker in turn, from volumes in
memory to labels in memory, and prints a Markdown table of seconds: median, least, most. Also how
long the longest call of the client took, which is what a window would have waited.

    python Testing/benchmarks/warm_worker.py CASE_DIR [--runs 5] [--backend openvino]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.worker.client import WorkerClient
from BrainSegAccelLib.worker.messages import Failed, Progress, Segment, Segmented

TIMER_SECONDS = 0.01


def _through(client: WorkerClient, request: Segment) -> tuple[float, float]:
    """Return the seconds of a run, and of the longest call of the client in it."""
    started = time.perf_counter()
    client.submit(request)
    longest = 0.0
    while True:
        asked = time.perf_counter()
        happened = client.poll()
        longest = max(longest, time.perf_counter() - asked)
        for event in happened:
            if isinstance(event, Segmented):
                return time.perf_counter() - started, longest
            if isinstance(event, Failed):
                raise SystemExit(event.message)
            assert isinstance(event, Progress)
        time.sleep(TIMER_SECONDS)


def main() -> None:
    """Run both in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--backend", default="openvino")
    chosen = parser.parse_args()
    study = read_study(discover(chosen.case))
    options = RunOptions(engine=EngineChoice(backend=chosen.backend))
    pipeline, client = Pipeline(engine=options.engine), WorkerClient()
    request = Segment(volumes=study, options=options)
    pipeline.run(study)
    _through(client, request)
    alone: list[float] = []
    through: list[tuple[float, float]] = []
    for _ in range(chosen.runs):
        started = time.perf_counter()
        pipeline.run(study)
        alone.append(time.perf_counter() - started)
        through.append(_through(client, request))
    client.close()
    seconds = [whole for whole, _ in through]
    print("| warm run | median s | least | most |\n|---|---|---|---|")
    for name, times in (("in this process", alone), ("through the worker", seconds)):
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} |")
    longest = max(longest for _, longest in through)
    print(f"\nratio {statistics.median(seconds) / statistics.median(alone):.2f}", end="; ")
    print(f"longest call of the client {1000.0 * longest:.0f} ms")


if __name__ == "__main__":
    main()
