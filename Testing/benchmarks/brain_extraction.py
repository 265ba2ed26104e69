"""Brain extraction on synthetic heads: Dice with the true brain, and seconds.

Heads come from seeds that training never draws; each is shown in one of the four sequences, in
turn, and a second time in 5 mm slices. Prints a Markdown table; FILE gets every mask's figures.

    python Testing/benchmarks/brain_extraction.py [--heads 24] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from brain_by_atlas import extract, load_images
from BrainSegAccelLib.geometry.resampling import to_image
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.brain_finder import open_finder
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.synthesis.heads import HeadGenerator, SyntheticHead

FIRST_SEED = 900_000_000
SLICE_MM = 5.0

Method = Callable[[Volume], dict[str, np.ndarray]]
"""Finds a brain in one way or several at once, by name."""


@dataclass(frozen=True)
class Mask:
    """A mask that a method found, and its Dice with the true one."""

    head: int
    sequence: str
    slices: str
    method: str
    dice: float
    seconds: float


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


def masks(heads: int, voxel: float, methods: list[Method]) -> Iterator[Mask]:
    """Run every method on every head, as it is and in thick slices."""
    generator = HeadGenerator(voxel)
    for index in range(heads):
        head = generator.generate(FIRST_SEED + index)
        volume = volume_of(head, index % len(Modality))
        truth = Volume(head.mask.numpy().astype(np.float32), volume.affine)
        shown = {
            "isotropic": (volume, truth),
            "5 mm": (in_thick_slices(volume), in_thick_slices(truth)),
        }
        for slices, (image, brain) in shown.items():
            for method in methods:
                started = time.perf_counter()
                found = method(image)
                took = round(time.perf_counter() - started, 3)
                for name, mask in found.items():
                    score = round(dice(mask, brain.array >= 0.5), 4)
                    yield Mask(index, volume.name, slices, name, score, took)


def table(found: list[Mask]) -> str:
    """Return Dice and seconds by method and slices as Markdown."""
    lines = ["| method | slices | mean Dice | lowest | below 0.95 | s, median |"]
    lines.append("|---|---|---|---|---|---|")
    for method, slices in dict.fromkeys((mask.method, mask.slices) for mask in found):
        these = [mask for mask in found if (mask.method, mask.slices) == (method, slices)]
        scores = [mask.dice for mask in these]
        below = sum(score < 0.95 for score in scores)
        seconds = np.median([mask.seconds for mask in these])
        lines.append(
            f"| {method} | {slices} | {np.mean(scores):.3f} | {min(scores):.3f} "
            f"| {below} of {len(scores)} | {seconds:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run every method on every head and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=24)
    parser.add_argument("--voxel", type=float, default=1.0, help="mm")
    parser.add_argument("--network", default="brain", help="its card or folder; default: shipped")
    parser.add_argument("--json", type=Path, help="write every mask's figures here")
    options = parser.parse_args()
    atlas = load_images()
    finder = open_finder(load_package(options.network))

    def by_network(volume: Volume) -> dict[str, np.ndarray]:
        return {"network": finder.find(volume)}

    def by_atlas(volume: Volume) -> dict[str, np.ndarray]:
        carried, refined = extract(volume, atlas)
        return {"atlas": carried, "atlas, refined": refined}

    found: list[Mask] = []
    for mask in masks(options.heads, options.voxel, [by_network, by_atlas]):
        found.append(mask)
        print(mask, file=sys.stderr)
    print(table(found))
    if options.json:
        lines = ",\n".join(json.dumps(asdict(mask)) for mask in found)
        options.json.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
