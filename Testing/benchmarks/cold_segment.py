"""How long a cold ``brainsegaccel segment`` takes, against a plain MONAI recipe, in one run.

Both are fresh processes, from four files to one file, in turn (A B A B …) so that a drift of the
machine touches both alike. The engine is cached before the first timed run. Prints a Markdown
table of wall time and peak memory, and the ratio of the medians.

    python Testing/benchmarks/cold_segment.py CASE_DIR [--runs 3] [--json FILE]

Needs the extra ``train`` (for MONAI).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One process: wall seconds and the largest resident set in GB (1e9 bytes)."""

    seconds: float
    peak_gb: float


def timed(command: list[str]) -> Run:
    """Run a command to its end.

    :raises SystemExit: the command failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(command)}")
    bytes_each = 1 if platform.system() == "Darwin" else 1024
    return Run(seconds, usage.ru_maxrss * bytes_each / 1e9)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path, help="folder with t1, t1c, t2 and flair")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    segment = [sys.executable, "-m", "BrainSegAccelLib.cli.main", "segment", str(options.case)]
    recipe = [sys.executable, str(Path(__file__).with_name("monai_recipe.py")), str(options.case)]
    runs: dict[str, list[Run]] = {"brainsegaccel segment, cold": [], "MONAI recipe, cold": []}
    with tempfile.TemporaryDirectory() as folder:
        ours = [*segment, "--output", f"{folder}/ours.seg.nrrd"]
        theirs = [*recipe, folder]
        timed(ours)
        for _ in range(options.runs):
            runs["brainsegaccel segment, cold"].append(timed(ours))
            runs["MONAI recipe, cold"].append(timed(theirs))
    medians = {name: statistics.median(r.seconds for r in found) for name, found in runs.items()}
    print("| process | wall s, median (min-max) | peak memory GB |")
    print("|---|---|---|")
    for name, found in runs.items():
        seconds = [r.seconds for r in found]
        peak = max(r.peak_gb for r in found)
        spread = f"{medians[name]:.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
        print(f"| {name} | {spread} | {peak:.2f} |")
    one, other = medians.values()
    print(f"\nMONAI recipe / brainsegaccel: {other / one:.1f}")
    if options.json:
        found = {name: [asdict(run) for run in each] for name, each in runs.items()}
        options.json.write_text(json.dumps({"runs": found, "ratio": other / one}, indent=2))


if __name__ == "__main__":
    main()
