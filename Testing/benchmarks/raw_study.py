"""How long a raw study takes from files to segmentation, cold, and where the time goes.

Every run is a fresh ``brainsegaccel segment``. The first finds an empty cache and compiles its
engine, as on the day of the installation; the others find it there, as ever after. The wall time
is taken from outside, from the start of the process to its end; the stages are those of the
manifest. Prints Markdown: seconds by stage with their share of the wall time (of the cached runs,
the one of median wall time), and what the stages leave unaccounted for.

    python Testing/benchmarks/raw_study.py CASE_DIR [--runs 3] [--backend openvino] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One process: its wall time and the stages that its manifest names, in seconds."""

    wall_s: float
    stages_s: dict[str, float]

    @property
    def accounted(self) -> float:
        """Share of the wall time that the stages cover."""
        return sum(self.stages_s.values()) / self.wall_s


def segment(case: Path, backend: str, folder: Path) -> Run:
    """Segment a case in a process of its own, its cache and its output in a folder.

    :raises SystemExit: the command failed.
    """
    command = [sys.executable, "-m", "BrainSegAccelLib.cli.main", "segment", str(case)]
    command += ["--output", str(folder / "out.seg.nrrd"), "--backend", backend]
    environment = {**os.environ, "BRAINSEGACCEL_CACHE": str(folder / "cache")}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    latency = json.loads((folder / "out.manifest.json").read_text())["latency"]
    stages = {name: round(ms / 1e3, 3) for name, ms in latency["stages_ms"].items()}
    return Run(round(wall, 3), stages)


def table(first: Run, cached: Run) -> str:
    """Return both runs as Markdown."""

    def row(name: str, values: list[float]) -> str:
        shares = (f"{v:.2f} | {v / r.wall_s:.1%}" for v, r in zip(values, runs, strict=True))
        return f"| {name} | {' | '.join(shares)} |"

    runs = (first, cached)
    lines = [
        "| stage | empty cache, s | share | engine cached, s | share |",
        "|---|---|---|---|---|",
    ]
    lines += [row(name, [r.stages_s.get(name, 0.0) for r in runs]) for name in first.stages_s]
    lines.append(row("not accounted for", [r.wall_s * (1.0 - r.accounted) for r in runs]))
    lines.append(row("**wall time**", [r.wall_s for r in runs]))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path, help="folder with t1, t1c, t2 and flair")
    parser.add_argument("--runs", type=int, default=3, help="with the engine in the cache")
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, *cached = (
            segment(options.case, options.backend, Path(folder)) for _ in range(1 + options.runs)
        )
    cached.sort(key=lambda run: run.wall_s)
    print(table(first, cached[len(cached) // 2]))
    walls = ", ".join(f"{run.wall_s:.1f}" for run in cached)
    print(f"\nWall seconds with the engine in the cache: {walls}.")
    least = min(run.accounted for run in (first, *cached))
    print(f"The stages cover {least:.1%} of the wall time or more.")
    if options.json:
        found = {"empty cache": [asdict(first)], "engine cached": [asdict(run) for run in cached]}
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
