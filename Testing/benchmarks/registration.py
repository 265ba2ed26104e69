"""How far registration ends from a known motion, for every pair of modalities, and how fast.

Each pair of modalities is taken as a run takes it, the second onto the first. The second is turned
by up to 15 degrees about each axis and shifted by up to 20 mm along each (``--turn``, ``--shift``:
beyond what is meant to be found, to see whether failures are noticed), sampled on voxels of its
own, and registered, from the two volumes on, judgement included. Every pair goes through the same
random motions; they are dealt out to the cases in turn. The target registration error is taken over
points of the head, against two truths: the headers, where the case lies on one grid because
somebody registered it before; and the registration of the same pair unmoved, which asks whether
the result depends on the motion. A result that is used although its error is above 2 mm against
every truth there is counts as a failure that was not noticed. Prints Markdown.

    python Testing/benchmarks/registration.py CASE_DIR [CASE_DIR …] [--transforms 100] [--json FILE]

FILE is written anew after every registration, and one that exists is gone on with.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
from BrainSegAccelLib.geometry.resampling import resample
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.io.atomic import atomic_write
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.preprocessing.options import RegistrationMode
from BrainSegAccelLib.preprocessing.registration.align import align
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.refine import SimpleItkRegistration
from BrainSegAccelLib.study.modality import REFERENCE_PRIORITY, Modality
from BrainSegAccelLib.study.study import Study
from scipy.spatial.transform import Rotation

FAILED_MM = 2.0
PAIRS = list(combinations(REFERENCE_PRIORITY, 2))
"""Fixed and moving: what a run registers onto what, where the fixed one is the best there is."""
FIXED, MOVING = Modality.T1C, Modality.FLAIR
"""What the two volumes of a pair are called here; T1c is the reference of any study."""


@dataclass(frozen=True)
class Trial:
    """One registration; errors in mm, None where there is no such truth or no result.

    :param motion: which of the random motions.
    :param headers_mm: mean error over the head against the headers; ``p95_mm`` of the points.
    :param unmoved_mm: against the same pair unmoved.
    """

    case: str
    fixed: str
    moving: str
    motion: int
    decision: str
    seconds: float
    before_mm: float
    headers_mm: float | None
    p95_mm: float | None
    unmoved_mm: float | None

    @property
    def error_mm(self) -> float | None:
        """The smaller of the errors there are."""
        return min((e for e in (self.headers_mm, self.unmoved_mm) if e is not None), default=None)


@dataclass(frozen=True)
class Motions:
    """Random motions of a head by number, the same ones every time.

    :param turn: largest angle about each axis in degrees.
    :param shift: longest way along each axis in mm.
    """

    seed: int
    turn: float
    shift: float

    def about(self, centre: np.ndarray, number: int) -> np.ndarray:
        """Return a 4x4 motion about a centre, LPS mm."""
        rng = np.random.default_rng([self.seed, number])
        turns, shift = (rng.uniform(-most, most, 3) for most in (self.turn, self.shift))
        motion = np.eye(4)
        motion[:3, :3] = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
        motion[:3, 3] = centre + shift - motion[:3, :3] @ centre
        return motion


def scanned_again(volume: Volume, motion: np.ndarray) -> Volume:
    """Return the volume after the head has moved, on axis-aligned voxels of the same size.

    The field of view goes along, as a technician would have it, so that nothing is cut off.
    """
    there = volume.grid.moved(motion)
    spacing = np.array(volume.grid.spacing)
    axes = np.abs(volume.grid.direction).argmax(axis=0)
    size = np.ptp(there.corners(), axis=0)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing[np.argsort(axes)])
    i, j, k = (int(n) for n in np.ceil(size / np.diag(affine)[:3]))
    affine[:3, 3] = there.corners().min(axis=0) + np.diag(affine)[:3] / 2
    target = Grid((k, j, i), affine)
    values, _ = resample(volume.array, there, target)
    return Volume(values, target.affine, volume.name)


def register(fixed: Volume, moving: Volume) -> tuple[Alignment, float]:
    """Return what a run would make of the pair, and its seconds."""
    study = Study({FIXED: fixed, MOVING: moving})
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = align(study, SimpleItkRegistration(), RegistrationMode.ON)[MOVING]
    return found, time.perf_counter() - started


def trials(cases: list[Path], count: int, motions: Motions, done: list[Trial]) -> Iterator[Trial]:
    """Register every pair ``count`` times, but what was done before; cases in turn."""

    @cache
    def unmoved(case: Path, fixed: Modality, moving: Modality) -> np.ndarray:
        study = read(case)
        return np.linalg.inv(register(study[fixed], study[moving])[0].motion)

    @cache
    def read(case: Path) -> Study:
        return read_study(discover(case))

    before = {(trial.fixed, trial.moving, trial.motion) for trial in done}
    dealt = [(case, n) for first, case in enumerate(cases) for n in range(first, count, len(cases))]
    for case, number in dealt:
        for fixed, moving in PAIRS:
            if (fixed.label, moving.label, number) in before:
                continue
            study = read(case)
            points = Pyramid(study[fixed]).points
            motion = motions.about(points.mean(axis=0), number)
            found, seconds = register(study[fixed], scanned_again(study[moving], motion))
            # Where points of the fixed head are found in the moved volume, and where they are.
            ends = _ends(np.linalg.inv(found.motion), points)
            used = found.decision is not Decision.REJECTED
            one_grid = study[moving].grid.same_as(study[fixed].grid)
            by_header = np.linalg.norm(ends - _ends(motion, points), axis=1)
            still = unmoved(case, fixed, moving)
            by_unmoved = np.linalg.norm(ends - _ends(motion @ still, points), axis=1)
            yield Trial(
                case=case.name,
                fixed=fixed.label,
                moving=moving.label,
                motion=number,
                decision=found.decision,
                seconds=round(seconds, 3),
                before_mm=_mean(np.linalg.norm(points - _ends(motion, points), axis=1)),
                headers_mm=_mean(by_header) if used and one_grid else None,
                p95_mm=round(float(np.percentile(by_header, 95)), 3) if used and one_grid else None,
                unmoved_mm=_mean(by_unmoved) if used else None,
            )


def _mean(errors: np.ndarray) -> float:
    return round(float(errors.mean()), 3)


def _ends(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ motion[:3, :3].T + motion[:3, 3]


def _row(name: str, found: list[Trial]) -> str:
    def over(values: list[float | None], summary: str) -> str:
        known = [value for value in values if value is not None]
        figures = {"mean": np.mean, "95": lambda v: np.percentile(v, 95), "max": np.max}
        return f"{figures[summary](known):.2f}" if known else "n/a"

    headers, unmoved = [t.headers_mm for t in found], [t.unmoved_mm for t in found]
    rejected = sum(t.error_mm is None for t in found)
    unnoticed = sum(t.error_mm is not None and t.error_mm > FAILED_MM for t in found)
    seconds = [t.seconds for t in found]
    cells = [
        name,
        str(len(found)),
        over([t.before_mm for t in found], "mean"),
        *(over(headers, summary) for summary in ("mean", "95", "max")),
        *(over(unmoved, summary) for summary in ("mean", "95", "max")),
        f"{np.median(seconds):.2f}",
        f"{max(seconds):.2f}",
        str(rejected),
        str(unnoticed),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, nargs="+", help="folders with modalities")
    parser.add_argument("--transforms", type=int, default=100, help="motions of each pair")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turn", type=float, default=15.0, help="degrees about each axis at most")
    parser.add_argument("--shift", type=float, default=20.0, help="mm along each axis at most")
    parser.add_argument("--json", type=Path, help="write every trial here, and go on from there")
    options = parser.parse_args()
    found: list[Trial] = []
    if options.json and options.json.exists():
        found = [Trial(**trial) for trial in json.loads(options.json.read_text())]
    motions = Motions(options.seed, options.turn, options.shift)
    for trial in trials(options.cases, options.transforms, motions, list(found)):
        found.append(trial)
        print(trial, file=sys.stderr)
        if options.json:
            with atomic_write(options.json) as beside:
                beside.write_text(one_a_line(found))
    print(
        "| pair | n | before mm | TRE mm | 95 % | max | against unmoved mm | 95 % | max "
        "| median s | max s | rejected | not noticed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for pair in dict.fromkeys((trial.fixed, trial.moving) for trial in found):
        print(_row(" ← ".join(pair), [t for t in found if (t.fixed, t.moving) == pair]))
    print(_row("**all**", found))
    for trial in found:
        if trial.error_mm is None or trial.error_mm > FAILED_MM:
            print(f"\n{trial}")


def one_a_line(found: list[Trial]) -> str:
    """Return trials as JSON."""
    return "[\n" + ",\n".join(json.dumps(asdict(trial)) for trial in found) + "\n]\n"


if __name__ == "__main__":
    main()
