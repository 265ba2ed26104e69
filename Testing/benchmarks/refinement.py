"""How long it takes to label again when a slider moves, at 240 x 240 x 155 and 1 mm.

Prints a Markdown table: milliseconds of `refine` over random settings of all four sliders, for one
tumour, and for the worst there is, a brain in which every voxel could be tumour.

    python Testing/benchmarks/refinement.py
"""

from __future__ import annotations

import time

import numpy as np
import SimpleITK as sitk
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.models.description import LOWEST_THRESHOLD
from BrainSegAccelLib.models.package import DEFAULT_MODEL, load_package
from BrainSegAccelLib.postprocessing.kept import KeptProbabilities
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.postprocessing.resample import resample_probabilities

GRID = Grid((155, 240, 240), np.eye(4))
CENTRE, HALF_AXES = np.array([80.0, 120.0, 120.0]), np.array([70.0, 88.0, 70.0])
RADII_MM = {"ET": 12.0, "TC": 16.0, "WT": 26.0}
MOVES = 40


def _distance(centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return how far each voxel is from a centre, in units of ``scale``, float32 (k, j, i)."""
    axes = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in GRID.shape), indexing="ij")
    return np.sqrt(sum(((a - c) / s) ** 2 for a, c, s in zip(axes, centre, scale, strict=True)))


def _tumour() -> np.ndarray:
    """Return the probabilities of one tumour of 74 ml with soft borders, float32 (3, k, j, i)."""
    distance = _distance(CENTRE + 20.0, np.ones(3))
    return np.stack([1.0 / (1.0 + np.exp(distance - r)) for r in RADII_MM.values()])


def _doubtful_brain() -> np.ndarray:
    """Return the tumour in a brain that is nowhere certain: smooth noise around one half."""
    noise = np.random.default_rng(0).standard_normal(GRID.shape, dtype=np.float32)
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(noise), 4.0))
    doubt = np.where(_distance(CENTRE, HALF_AXES) < 1.0, 0.5 + 0.15 * smooth / smooth.std(), 0.0)
    return np.maximum(_tumour(), np.clip(doubt, 0.0, 1.0)).astype(np.float32)


def _milliseconds(kept: KeptProbabilities) -> np.ndarray:
    """Return the time of each of `MOVES` labellings."""
    rng = np.random.default_rng(1)
    times = []
    for _ in range(MOVES):
        thresholds = dict(zip(RADII_MM, rng.uniform(LOWEST_THRESHOLD, 0.95, 3), strict=True))
        settings = Refinement(thresholds=thresholds, smallest_lesion_ml=rng.uniform(0.0, 5.0))
        started = time.perf_counter()
        refine(kept, settings.resolve(kept.outputs))
        times.append(1000.0 * (time.perf_counter() - started))
    return np.array(times)


def main() -> None:
    """Measure both and print the table."""
    outputs = load_package(DEFAULT_MODEL).card.outputs
    print("| probabilities | box in voxels | p50 ms | p95 ms |\n|---|---|---|---|")
    for name, values in (("one tumour", _tumour()), ("the whole brain", _doubtful_brain())):
        kept = resample_probabilities(values.astype(np.float32), outputs, GRID, GRID)
        times = _milliseconds(kept)
        box = " x ".join(str(n) for n in kept.values.shape[1:])
        p50, p95 = np.percentile(times, (50, 95))
        print(f"| {name} | {box} | {p50:.0f} | {p95:.0f} |")


if __name__ == "__main__":
    main()
