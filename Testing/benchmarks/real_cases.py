"""What the shipped weights find on labelled cases, through the command line, as a user would.

For every folder below ROOT that holds modalities: ``segment`` runs in a fresh process; its exit
code, the geometry of its output and its manifest are checked; where the folder has a ``seg`` file
Dice of each region is taken, beside the no-network baseline (FLAIR smoothed by 1 mm, z-score above
1.0 in the brain, largest component; whole tumour only). Cases without enhancing tumour are left
out of the mean of ET. Prints a Markdown table.

    python Testing/benchmarks/real_cases.py ROOT [ROOT …] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.benchmark.evaluate import evaluate
from BrainSegAccelLib.benchmark.quality import dice, region_mask
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.files.discover import discover
from BrainSegAccelLib.files.read import read_study
from BrainSegAccelLib.files.read_labels import read_labels
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.preprocessing.normalisation import normalise
from BrainSegAccelLib.regions import Region
from BrainSegAccelLib.study import Study

TRUTH_NAMES = ("seg.nii.gz", "seg.nii", "seg.nrrd")


@dataclass(frozen=True)
class CaseResult:
    """Dice is None where there is no truth, or none of that region."""

    case: str
    seconds: float
    predicted_ml: dict[str, float]
    dice: dict[str, float | None]
    baseline_wt: float | None


def segment(case: Path, output: Path) -> dict:
    """Run the command line on a case; returns the validated manifest.

    :raises SystemExit: exit code other than 0.
    """
    command = [sys.executable, "-m", "BrainSegAccelLib.cli.main", "segment", str(case)]
    done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case.name}: exit code {done.returncode}: {done.stderr.strip()}")
    document = json.loads(
        output.with_name(output.name.split(".")[0] + ".manifest.json").read_text()
    )
    validate(document)
    return document


def baseline(study: Study) -> np.ndarray | None:
    """Return the whole tumour that no network is needed for, bool (k, j, i), or None."""
    flair = study.get(Modality.FLAIR)
    if flair is None or not flair.grid.same_as(study.reference_grid):
        return None
    brain = flair.array != 0
    image = sitk.GetImageFromArray(normalise(flair.array, brain))
    image.SetSpacing(flair.grid.spacing)
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, 1.0))
    bright = sitk.GetImageFromArray(((smooth > 1.0) & brain).astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(bright), sortByObjectSize=True)
    return sitk.GetArrayFromImage(parts) == 1


def run(case: Path, folder: Path) -> CaseResult:
    """Segment one case and compare."""
    output = folder / f"{case.name}.seg.nrrd"
    manifest = segment(case, output)
    found, study = read_labels(output), read_study(discover(case))
    if not found.grid.same_as(study.reference_grid, 1e-2):
        raise SystemExit(f"{case.name}: the output does not lie on the reference's grid")
    truth_path = next((case / name for name in TRUTH_NAMES if (case / name).exists()), None)
    scores: dict[str, float | None] = dict.fromkeys(map(str, Region))
    baseline_wt = None
    if truth_path:
        truth = read_labels(truth_path)
        for region, score in evaluate(found, truth).regions.items():
            scores[region] = score.dice if score.reference_ml > 0 else None
        mask = baseline(study)
        if mask is not None:
            baseline_wt = dice(mask, region_mask(truth.labels, Region.WT))
    volumes = {str(region): found.volume_ml(*region.labels) for region in Region}
    seconds = manifest["latency"]["total_ms"] / 1000.0
    name = f"{case.parent.name}/{case.name}"
    return CaseResult(name, seconds, volumes, scores, baseline_wt)


def cases_below(root: Path) -> list[Path]:
    """Return every folder below a root in which modalities are found."""
    found = []
    for folder in sorted({path.parent for path in root.rglob("*.nii*")}):
        try:
            discover(folder)
        except InputError:
            continue
        found.append(folder)
    return found


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.3f}" if known else "n/a"


def _shown(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    by_root: dict[Path, list[CaseResult]] = {root: [] for root in options.roots}
    with tempfile.TemporaryDirectory() as folder:
        for root, results in by_root.items():
            for case in cases_below(root):
                results.append(run(case, Path(folder)))
                print(f"{case.name} done", file=sys.stderr)
    print("| case | ET | TC | WT | WT, no network | predicted ET / TC / WT ml |")
    print("|---|---|---|---|---|---|")
    for root, results in by_root.items():
        for result in results:
            volumes = " / ".join(f"{value:.1f}" for value in result.predicted_ml.values())
            scores = " | ".join(_shown(value) for value in result.dice.values())
            print(f"| {result.case} | {scores} | {_shown(result.baseline_wt)} | {volumes} |")
        if len(results) > 1:
            means = " | ".join(_mean([r.dice[region] for r in results]) for region in Region)
            baseline_mean = _mean([r.baseline_wt for r in results])
            print(f"| **mean of {root.name}** | {means} | {baseline_mean} | |")
    results = [result for each in by_root.values() for result in each]
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2))


if __name__ == "__main__":
    main()
