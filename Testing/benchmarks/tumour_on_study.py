"""What a model finds in a raw study, held against labels of another group's copy of it.

The copy, brains at 1 mm with labels, lies in another space. Its image of the reference is
registered onto the raw reference, rigidly, and the labels are brought along onto the raw grid.
Prints a Markdown table: Dice of each region, both volumes, and how far the centres of mass lie
apart.

    python Testing/benchmarks/tumour_on_study.py RAW_DIR LABELLED_DIR [--model full]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from brain_on_study import on_reference, register_copy
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.labelled import label_file
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.runs.pipeline import Pipeline


def centre(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Centre of mass in LPS mm."""
    return grid.to_patient(np.argwhere(mask).mean(axis=0)[::-1])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path, help="folder with modalities, skull on")
    parser.add_argument("labelled", type=Path, help="the same ones as 1 mm brains, with labels")
    parser.add_argument("--model", default="full")
    options = parser.parse_args()
    study, extracted = (read_study(discover(d)) for d in (options.raw, options.labelled))
    reference = study[study.reference]
    copy, onto_reference = register_copy(study, extracted)
    pipeline = Pipeline(options.model)
    scheme = pipeline.package.card.outputs.scheme
    expected = read_labels(label_file(options.labelled), scheme).labels
    found = pipeline.run(study).segmentation.labels
    millilitres = reference.grid.voxel_volume_mm3 / 1000.0
    print("| region | Dice | found ml | labelled ml | centres apart, mm |\n|---|---|---|---|---|")
    for region in scheme.regions:
        ours = scheme.mask(found, region)
        theirs = on_reference(scheme.mask(expected, region), copy, onto_reference, reference)
        apart = "-"
        if ours.any() and theirs.any():
            gap = centre(ours, reference.grid) - centre(theirs, reference.grid)
            apart = f"{np.linalg.norm(gap):.1f}"
        print(
            f"| {region.identifier} | {dice(ours, theirs):.3f} | {ours.sum() * millilitres:.1f} "
            f"| {theirs.sum() * millilitres:.1f} | {apart} |"
        )


if __name__ == "__main__":
    main()
