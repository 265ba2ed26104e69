"""Whether two checkouts give the same labels, voxel for voxel, and what each takes.

Every case is segmented by the command of either checkout, with each set of options: once for the
labels and to build the engine, then in fresh processes in turn (A B A B …), then in turn by two
processes that stay, one for each checkout. So a drift of the machine touches both alike. Every
label map that is written on the way has to be the same. Each checkout has an engine cache of its
own. A case is a folder, the given one or below it, that holds NIfTI or NRRD files.

Prints a Markdown table: differing voxels, and the ratios after/before of the median seconds, cold
(a process from start to end) and warm (the command once more in a process that stays; it opens its
engine anew, from the cache), with 95 % intervals (bootstrap over pairs of runs). Exits with 1
where labels or geometry differ, or a run failed.

    python Testing/benchmarks/compare_checkouts.py BEFORE AFTER --cases DIR [--cases DIR]
        [--options "--backend openvino --precision fp32"] [--iterations 5] --output REPORT.json

``--keep DIR`` keeps the label maps and manifests of AFTER; that folder can stand for BEFORE in
later calls, which then compare labels only. Without BEFORE nothing is compared.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from checkouts import (
    GEOMETRY_MM,
    LABELS,
    Checkout,
    Difference,
    Failed,
    KeptRun,
    LabelMap,
    Side,
    WarmCommand,
    difference,
    map_file,
    read_label_map,
    write_json,
)

OPTIONS = ("--backend openvino --precision fp32", "--backend openvino --precision int8")
ITERATIONS = 5
IMAGES = (".nii", ".nii.gz", ".nrrd")
PACKAGES = ("numpy", "SimpleITK", "openvino", "onnxruntime", "torch")


@dataclass(frozen=True)
class Times:
    """Seconds of the same runs of both checkouts, in turn."""

    before_s: list[float]
    after_s: list[float]

    @property
    def ratio(self) -> float:
        """After/before of the medians."""
        return statistics.median(self.after_s) / statistics.median(self.before_s)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the ratio: percentiles of 2000 draws of pairs (Efron 1979)."""
        pairs = np.array([self.before_s, self.after_s])
        drawn = np.random.default_rng(0).integers(pairs.shape[1], size=(2000, pairs.shape[1]))
        before, after = np.median(pairs[:, drawn], axis=-1)
        low, high = np.percentile(after / before, (2.5, 97.5))
        return float(low), float(high)

    def record(self) -> dict[str, Any]:
        """Return seconds, medians and ratio as plain values."""
        return {
            **asdict(self),
            "before_median_s": statistics.median(self.before_s),
            "after_median_s": statistics.median(self.after_s),
            "ratio": self.ratio,
            "ratio_95": self.interval,
        }


@dataclass(frozen=True)
class Compared:
    """What came out for one case and one set of options.

    :param error: why a run failed; then the rest is None.
    :param labels: None also where there is nothing to compare with.
    :param repeats_equal: whether all later runs of either checkout wrote the first one's labels.
    """

    case: str
    options: str
    error: str | None = None
    labels: Difference | None = None
    repeats_equal: bool = True
    cold: Times | None = None
    warm: Times | None = None

    @property
    def good(self) -> bool:
        """Whether nothing failed and all label maps are the same, at the same place."""
        same = self.labels is None or self.labels.none
        return self.error is None and same and self.repeats_equal

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        times = {"cold": self.cold, "warm": self.warm}
        return {
            **asdict(self),
            "equal": self.good if self.labels else None,
            **{name: found and found.record() for name, found in times.items()},
        }

    def row(self) -> str:
        """Return it as a row of the table."""
        cells = [self.case, self.options, self._verdict()]
        for times in (self.cold, self.warm):
            low, high = times.interval if times else (0.0, 0.0)
            cells.append(f"{times.ratio:.3f} ({low:.3f}-{high:.3f})" if times else "-")
        return f"| {' | '.join(cells)} |"

    def _verdict(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        if not self.labels:
            return "not compared"
        said = [] if self.repeats_equal else ["runs of one checkout differ"]
        if self.labels.voxels is None:
            said.append("other shape")
        elif self.labels.voxels:
            said.append(f"{self.labels.voxels} voxels differ")
        if self.labels.geometry_mm > GEOMETRY_MM:
            said.append(f"corners up to {self.labels.geometry_mm:.4g} mm apart")
        return ", ".join(said) or "equal"


def cases_below(folders: list[Path]) -> dict[str, Path]:
    """Return the folders of cases, named by the last two parts of their paths.

    :raises Failed: there is none, or two have one name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        images = (p for p in folder.resolve().rglob("*") if p.name.endswith(IMAGES))
        for case in sorted({image.parent for image in images}):
            name = f"{case.parent.name}/{case.name}"
            if found.setdefault(name, case) != case:
                raise Failed(f"{case}: has the name of {found[name]}")
    if not found:
        raise Failed(f"no case in {', '.join(map(str, folders))}")
    return found


def in_turn(
    before: Callable[[], float],
    after: Callable[[], float],
    iterations: int,
    check: Callable[[], None],
) -> Times:
    """Time two commands in turn; ``check`` is called after every pair."""
    times = Times([], [])
    for _ in range(iterations):
        times.before_s.append(before())
        times.after_s.append(after())
        check()
    return times


@dataclass(frozen=True)
class Task:
    """A case and a set of options."""

    name: str
    case: Path
    options: str

    def compare(
        self, before: Side | None, after: Checkout, iterations: int
    ) -> tuple[Compared, LabelMap]:
        """Segment on both sides, and time them if both are checkouts.

        :returns: what came out, and the labels of ``after``.
        :raises Failed: a run failed.
        """
        expected = before.label_map(self.name, self.case, self.options) if before else None
        found = after.label_map(self.name, self.case, self.options)
        labels = difference(expected, found) if expected else None
        compared = Compared(self.name, self.options, labels=labels)
        if isinstance(before, Checkout) and expected and iterations:
            compared = self._timed(compared, ((before, expected), (after, found)), iterations)
        return compared, found

    def _timed(
        self, compared: Compared, sides: Sequence[tuple[Checkout, LabelMap]], iterations: int
    ) -> Compared:
        """Add the times, and whether each side writes its labels again every time."""
        changed = False

        def check() -> None:
            nonlocal changed
            for side, labels in sides:
                again = read_label_map(side.output(self.name, self.options))
                changed |= not difference(labels, again).none

        given = (self.name, self.case, self.options)
        before, after = (partial(side.segment, *given) for side, _ in sides)
        cold = in_turn(before, after, iterations, check)
        one, other = (WarmCommand(side, *given) for side, _ in sides)
        with one, other:
            one.segment()
            other.segment()
            warm = in_turn(one.segment, other.segment, iterations, check)
        return replace(compared, repeats_equal=not changed, cold=cold, warm=warm)


def summary(compared: list[Compared]) -> dict[str, Any]:
    """Return over all cases: whether all are equal, and the geometric means of the ratios."""
    ratios = {
        kind: [times.ratio for c in compared if (times := getattr(c, kind))]
        for kind in ("cold", "warm")
    }
    return {
        "equal": all(c.good for c in compared),
        **{
            f"{kind}_ratio": statistics.geometric_mean(found) if found else None
            for kind, found in ratios.items()
        },
    }


def machine() -> dict[str, Any]:
    """Return what the figures hold for: processor, cores, Python and runtimes."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(": ")[1] for line in lines if "model name" in line), model)
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return {
        "processor": model,
        "logical_cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: installed[name] for name in PACKAGES if name in installed},
    }


@dataclass(frozen=True)
class Comparison:
    """All that is to be run.

    :param keep: folder in which the label maps of ``after`` are kept; None for none.
    """

    before: Checkout | KeptRun | None
    after: Checkout
    options: Sequence[str]
    iterations: int
    output: Path
    keep: Path | None

    def run(self, cases: dict[str, Path]) -> bool:
        """Segment everything; the files are written after every case.

        :returns: whether everything is equal and nothing failed.
        """
        compared: list[Compared] = []
        labels: dict[str, dict[str, Any]] = {options: {} for options in self.options}
        print("| case | options | labels | cold, after/before | warm, after/before |")
        print("|---|---|---|---|---|", flush=True)
        for options in self.options:
            for name, case in cases.items():
                try:
                    done, found = Task(name, case, options).compare(
                        self.before, self.after, self.iterations
                    )
                    file = str(map_file(name, options))
                    labels[options][name] = {"file": file, **found.record()}
                except Failed as error:
                    done = Compared(name, options, error=str(error))
                print(done.row(), flush=True)
                compared.append(done)
                self._write(compared, labels)
        return all(c.good for c in compared)

    def _write(self, compared: list[Compared], labels: dict[str, dict[str, Any]]) -> None:
        ran = {"commit": self.after.commit, "machine": machine(), "options": self.options}
        if self.keep:
            write_json(self.keep / LABELS, {**ran, "labels": labels})
        report = {
            **ran,
            "before_commit": self.before.commit if self.before else None,
            "more_options": {
                name: side.more_options
                for name, side in (("before", self.before), ("after", self.after))
                if isinstance(side, Checkout)
            },
            "summary": summary(compared),
            "runs": [c.record() for c in compared],
        }
        write_json(self.output, report)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("before", type=Path, nargs="?", help="a checkout, or what --keep kept")
    parser.add_argument("after", type=Path, help="a checkout")
    add = parser.add_argument
    add("--cases", type=Path, action="append", required=True, help="folder of cases")
    add("--options", action="append", help="of segment; write --options=... for a single word")
    add("--before-options", default="", help="more options for BEFORE")
    add("--after-options", default="", help="more options for AFTER")
    add("--iterations", type=int, help=f"timed pairs, 0 for labels only; default {ITERATIONS}")
    add("--keep", type=Path, help="keep label maps and manifests of AFTER there")
    add("--output", type=Path, required=True, help="report to write, JSON")
    chosen = parser.parse_args(arguments)
    chosen.kept = bool(chosen.before and (chosen.before / LABELS).is_file())
    if not chosen.before or chosen.kept:
        if chosen.iterations:
            parser.error("--iterations: there are times only of two checkouts")
        if chosen.before_options:
            parser.error("--before-options: BEFORE is no checkout")
    elif chosen.iterations is None:
        chosen.iterations = ITERATIONS
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; returns the exit code."""
    chosen = parsed(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        before: Checkout | KeptRun | None = None
        if chosen.kept:
            before = KeptRun(chosen.before)
        elif chosen.before:
            root, more = chosen.before.resolve(), chosen.before_options
            before = Checkout(root, work / "before", work / "before-cache", more)
        after = Checkout(
            chosen.after.resolve(),
            (chosen.keep or work / "after").resolve(),
            work / "after-cache",
            chosen.after_options,
        )
        options = chosen.options or (before.options if isinstance(before, KeptRun) else OPTIONS)
        try:
            for side in (before, after):
                if isinstance(side, Checkout):
                    side.check()
            cases = cases_below(chosen.cases)
        except Failed as error:
            print(error, file=sys.stderr)
            return 2
        comparison = Comparison(
            before, after, options, chosen.iterations or 0, chosen.output, chosen.keep
        )
        return 0 if comparison.run(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
