"""Whether a labelled case is segmented alike however its volumes are stored and sampled.

The case is segmented as it is; then stored along other axes, mirrored in memory, turned with the
patient, sampled on an oblique grid, and sampled in 5 mm slices. Each time its labels go along, and
Dice is taken against them on the grid of that variant. Registration is off: the volumes of one
variant lie on one grid. Prints a Markdown table by variant; FILE gets every case and region.

    python Testing/benchmarks/geometry.py CASE_DIR [CASE_DIR …] [--backend openvino] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.geometry.resampling import resample
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.preprocessing.options import PreprocessingOptions, RegistrationMode
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.segmentation import Segmentation
from BrainSegAccelLib.study.study import Study
from scipy.spatial.transform import Rotation

SLICE_MM = 5.0
Variant = Callable[[Volume], Volume]


def other_orientation(volume: Volume) -> Volume:
    """Another axis varies fastest: of files in LPS, sagittal slices with rows from S to I."""
    i, j, k = _ijk(volume)
    # Columns: where one step along each axis of the new grid leads in indices of the old one.
    turn = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, k - 1], [0, 0, 0, 1.0]])
    return _on(volume, Grid((i, k, j), volume.affine @ turn))


def mirrored(volume: Volume) -> Volume:
    """A left-handed grid: the first axis runs the other way."""
    turn = np.diag([-1.0, 1.0, 1.0, 1.0])
    turn[0, 3] = _ijk(volume)[0] - 1
    return _on(volume, Grid(volume.grid.shape, volume.affine @ turn))


def turned(volume: Volume) -> Volume:
    """The patient lies turned by up to 12 degrees about each axis; the same voxels."""
    return volume.moved(_rotation((12.0, -8.0, 10.0), _middle(volume)))


def oblique(volume: Volume) -> Volume:
    """Sampled on a grid that is oblique to the patient, 1 mm."""
    there = volume.grid.moved(_rotation((15.0, 10.0, -12.0), _middle(volume)))
    return _on(volume, there)


def thick_slices(volume: Volume) -> Volume:
    """Slices that are means of 5 mm of tissue, as a scanner takes them."""
    whole = round(SLICE_MM / volume.grid.spacing[2])
    slices = volume.array.shape[0] // whole
    means = volume.array[: slices * whole].reshape(slices, whole, *volume.array.shape[1:]).mean(1)
    affine = volume.affine @ np.diag([1.0, 1.0, whole, 1.0])
    affine[:3, 3] = volume.grid.to_patient(np.array([0.0, 0.0, (whole - 1) / 2]))
    return Volume(means.astype(np.float32), affine, volume.name)


WHOLE = "WT"
VARIANTS: dict[str, tuple[Variant, float]] = {
    "other orientation": (other_orientation, 0.02),
    "mirrored in memory": (mirrored, 0.02),
    "patient turned": (turned, 0.02),
    "oblique grid": (oblique, 0.02),
    "5 mm slices": (thick_slices, 0.08),
}
"""How the case is changed, and how much Dice of the whole tumour may change by it."""


def _ijk(volume: Volume) -> tuple[int, ...]:
    return volume.array.shape[::-1]


def _middle(volume: Volume) -> np.ndarray:
    return volume.grid.to_patient((np.array(_ijk(volume)) - 1) / 2)


def _rotation(degrees: tuple[float, ...], centre: np.ndarray) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    motion[:3, 3] = centre - motion[:3, :3] @ centre
    return motion


def _on(volume: Volume, grid: Grid) -> Volume:
    values, _ = resample(volume.array, volume.grid, grid)
    return Volume(values, grid.affine, volume.name)


def dice_by_region(pipeline: Pipeline, study: Study, truth: dict[str, Volume]) -> dict:
    """Segment a study and compare with soft masks of the truth on its reference's grid.

    :raises SystemExit: the result does not lie on the reference's grid.
    """
    off = PreprocessingOptions(registration=RegistrationMode.OFF)
    found = pipeline.run(study, RunOptions(preprocessing=off)).segmentation
    if not found.grid.same_as(study.reference_grid):
        raise SystemExit("the result does not lie on the grid of the input")
    scheme = found.scheme
    return {
        region: dice(scheme.mask(found.labels, scheme.region(region)), mask.array >= 0.5)
        for region, mask in truth.items()
    }


def scores(pipeline: Pipeline, study: Study, labels: Segmentation) -> dict[str, dict[str, float]]:
    """Return Dice by variant and region, the untouched case first."""
    truth = {
        region.identifier: Volume(
            labels.scheme.mask(labels.labels, region).astype(np.float32), labels.grid.affine
        )
        for region in labels.scheme.regions
    }
    found = {"untouched": dice_by_region(pipeline, study, truth)}
    for name, (variant, _allowed) in VARIANTS.items():
        changed = Study({modality: variant(volume) for modality, volume in study.items()})
        moved = {region: variant(mask) for region, mask in truth.items()}
        found[name] = dice_by_region(pipeline, changed, moved)
    return found


def table(cases: list[dict[str, dict[str, float]]]) -> str:
    """Return means over cases and the largest change of the whole tumour as Markdown."""
    regions = list(cases[0]["untouched"])
    lines = [
        f"| stored as | {' | '.join(regions)} | change of {WHOLE}, mean | largest | allowed "
        "| cases beyond |",
        f"|---{'|---' * len(regions)}|---|---|---|---|",
    ]
    for name in cases[0]:
        means = " | ".join(f"{np.mean([c[name][r] for c in cases]):.3f}" for r in regions)
        if name not in VARIANTS:
            lines.append(f"| {name} | {means} | | | | |")
            continue
        allowed = VARIANTS[name][1]
        changes = np.array([c[name][WHOLE] - c["untouched"][WHOLE] for c in cases])
        largest = changes[np.abs(changes).argmax()]
        beyond = int((np.abs(changes) > allowed).sum())
        lines.append(
            f"| {name} | {means} | {changes.mean():+.3f} | {largest:+.3f} | {allowed:.2f} "
            f"| {beyond} of {len(cases)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, nargs="+", help="folders with modalities and seg")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--json", type=Path, help="write Dice by case, variant and region here")
    options = parser.parse_args()
    pipeline = Pipeline(engine=EngineChoice(backend=options.backend))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for case in options.cases:
        truth = read_labels(case / "seg.nii.gz", pipeline.package.card.outputs.scheme)
        found[case.name] = scores(pipeline, read_study(discover(case)), truth)
        print(f"{case.name} done", file=sys.stderr)
    print(table(list(found.values())))
    if options.json:
        rounded = {
            case: {
                name: {region: round(value, 4) for region, value in dices.items()}
                for name, dices in variants.items()
            }
            for case, variants in found.items()
        }
        options.json.write_text(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    main()
