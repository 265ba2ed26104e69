"""How long a step of training on one's own cases takes, and how much of it is their preparation.

    python Testing/benchmarks/own_cases.py CASES [--checkout FOLDER ...] [--steps 40] [--rounds 2]

Trains the shipped model on labelled cases alone, three samples a case, with one process that draws
samples, and times the steps by the lines of the log. Several checkouts of this repository take
turns, so that two versions can be compared; by default there is one, this.

Wall time hangs on what else the machine does; processor time, of the trainer and of the process
that draws samples together, hardly does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[2]
LIBRARY = "BrainSegAccel"
SAMPLES_PER_CASE = 3
_LINE = re.compile(r"^(\S+ \S+) step (\d+)/")


@dataclass(frozen=True)
class Measured:
    """One run of training.

    :param before_seconds: from the start of the process to its first step.
    :param step_seconds: wall time of a step after the first.
    :param step_cpu_seconds: processor time of the whole run by its steps.
    """

    before_seconds: float
    step_seconds: float
    step_cpu_seconds: float


def main() -> None:
    """Measure all checkouts in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--checkout", type=Path, action="append", help="default: this one")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    checkouts = options.checkout or [HERE]
    runs: list[list[Measured]] = [[] for _ in checkouts]
    for _ in range(options.rounds):
        for checkout, measured in zip(checkouts, runs, strict=True):
            measured.append(measure(checkout, options.cases, options.steps))
            print(f"{checkout.name}: {measured[-1]}", file=sys.stderr)
    print("| checkout | before the first step, s | a step, s | processor time of a step, s |")
    print("|---|---|---|---|")
    for checkout, measured in zip(checkouts, runs, strict=True):
        print(f"| {checkout.resolve().name} | " + " | ".join(_row(measured)) + " |")


def measure(checkout: Path, cases: Path, steps: int) -> Measured:
    """Train for some steps in a process of its own.

    :raises subprocess.CalledProcessError: it failed; what it said is on standard error.
    """
    stage = {"steps": steps, "samples_per_case": SAMPLES_PER_CASE}
    config = {
        "name": "own-cases",
        "stages": [stage],
        "own_data_share": 1.0,
        "held_out_share": 0.0,
        "validation_cases": 0,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own-cases.json")
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "BrainSegAccelLib.cli.main", "train", str(path)]
        command += [str(Path(folder, "run")), "--initial", "full", "--data", str(cases.resolve())]
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve() / LIBRARY)}
        began, used = datetime.now(), _children_cpu_seconds()
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.stderr.write(done.stderr)
            done.check_returncode()
        cpu = _children_cpu_seconds() - used
    lines = [match for line in done.stderr.splitlines() if (match := _LINE.match(line))]
    (first, at_first), (last, at_last) = (
        (int(line.group(2)), datetime.fromisoformat(line.group(1).replace(",", ".")))
        for line in (lines[0], lines[-1])
    )
    return Measured(
        before_seconds=(at_first - began).total_seconds(),
        step_seconds=(at_last - at_first).total_seconds() / (last - first),
        step_cpu_seconds=cpu / steps,
    )


def _children_cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _row(measured: Sequence[Measured]) -> list[str]:
    columns = [
        [each.before_seconds for each in measured],
        [each.step_seconds for each in measured],
        [each.step_cpu_seconds for each in measured],
    ]
    return [f"{median(column):.1f}" for column in columns]


if __name__ == "__main__":
    main()
