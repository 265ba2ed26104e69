"""Brain extraction on synthetic heads: Dice with the true brain, and seconds.

Heads come from seeds that training never draws; each is shown in one of the four sequences, in
turn, and a second time in 5 mm slices. Prints a Markdown table.

    python Testing/benchmarks/brain_extraction.py --heads 24
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from brain_by_atlas import extract, load_images
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.network.brain_card import load_brain_package
from BrainSegAccelLib.preprocessing.brain_network import BrainFinder
from BrainSegAccelLib.preprocessing.resampling import to_image
from BrainSegAccelLib.training.heads import HeadGenerator, SyntheticHead
from BrainSegAccelLib.volume import Volume

FIRST_SEED = 900_000_000
SLICE_MM = 5.0

Method = Callable[[Volume], dict[str, np.ndarray]]


def volume_of(head: SyntheticHead, channel: int) -> Volume:
    """One sequence of a head, anywhere in patient space."""
    affine = np.diag([head.voxel, head.voxel, head.voxel, 1.0])
    affine[:3, 3] = (-80.0, -100.0, -60.0)
    return Volume(head.images[channel].numpy(), affine, list(Modality)[channel].label)


def in_thick_slices(volume: Volume) -> Volume:
    """Average along z to slices of about `SLICE_MM`."""
    factor = round(SLICE_MM / volume.grid.spacing[2])
    image = sitk.BinShrink(to_image(volume.array, volume.grid), [1, 1, factor])
    affine = np.diag([*image.GetSpacing(), 1.0])
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine, volume.name)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice overlap of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def main() -> None:
    """Run every method on every head and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--voxel", type=float, default=1.0, help="mm")
    parser.add_argument("--network", type=Path, help="its folder; default: the shipped one")
    options = parser.parse_args()
    atlas = load_images()
    finder = BrainFinder(load_brain_package(options.network))

    def by_network(volume: Volume) -> dict[str, np.ndarray]:
        return {"network": finder.find(volume)}

    def by_atlas(volume: Volume) -> dict[str, np.ndarray]:
        carried, refined = extract(volume, atlas)
        return {"atlas": carried, "atlas, refined": refined}

    scores: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    generator = HeadGenerator(options.voxel)
    for index in range(options.heads):
        head = generator.generate(FIRST_SEED + index)
        volume = volume_of(head, index % len(Modality))
        truth = Volume(head.mask.numpy().astype(np.float32), volume.affine)
        cases = {
            "isotropic": (volume, truth.array >= 0.5),
            "5 mm slices": (in_thick_slices(volume), in_thick_slices(truth).array >= 0.5),
        }
        for kind, (image, mask) in cases.items():
            for method in (by_network, by_atlas):
                started = time.perf_counter()
                found = method(image)
                took = time.perf_counter() - started
                for name, result in found.items():
                    scores.setdefault((name, kind), []).append(dice(result, mask))
                    seconds.setdefault(name, []).append(took)
        last = ", ".join(f"{name} {kind} {v[-1]:.3f}" for (name, kind), v in scores.items())
        print(f"{index} {volume.name} {head.mask.shape}: {last}", file=sys.stderr)
    print("| method | slices | mean Dice | lowest | below 0.95 | s, median |")
    print("|---|---|---|---|---|---|")
    for (name, kind), values in scores.items():
        below = sum(value < 0.95 for value in values)
        print(
            f"| {name} | {kind} | {np.mean(values):.3f} | {min(values):.3f} | "
            f"{below} of {len(values)} | {np.median(seconds[name]):.2f} |"
        )


if __name__ == "__main__":
    main()
