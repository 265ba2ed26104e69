"""What the shipped weights find with every subset of the four modalities, on one engine.

Prints a Markdown table of mean Dice over the labelled cases below ROOT for the fifteen subsets;
cases without enhancing tumour are left out of ET. The engine is built once: a second build would
be an error.

    python Testing/benchmarks/subsets.py ROOT
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from BrainSegAccelLib.benchmark.evaluate import evaluate
from BrainSegAccelLib.files.discover import discover
from BrainSegAccelLib.files.read import read_study
from BrainSegAccelLib.files.read_labels import read_labels
from BrainSegAccelLib.inference.pipeline import Pipeline
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.regions import Region
from BrainSegAccelLib.study import Study
from real_cases import TRUTH_NAMES, cases_below

SUBSETS = [set(chosen) for n in range(1, 5) for chosen in combinations(Modality, n)]


def main() -> None:
    """Run all subsets of all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    options = parser.parse_args()
    pipeline = Pipeline()
    engine = pipeline.warm()
    found: dict[int, dict[Region, list[float]]] = {
        index: {region: [] for region in Region} for index in range(len(SUBSETS))
    }
    for case in cases_below(options.root):
        study = read_study(discover(case))
        truth = read_labels(next(case / name for name in TRUTH_NAMES if (case / name).exists()))
        for index, subset in enumerate(SUBSETS):
            part = Study({modality: study[modality] for modality in subset})
            result = pipeline.run(part)
            assert pipeline.warm() is engine, "the engine was built again"
            for region, score in evaluate(result.segmentation, truth).regions.items():
                if score.reference_ml > 0:
                    found[index][region].append(score.dice)
        print(f"{case.name} done", file=sys.stderr)
    print("| modalities | ET | TC | WT |")
    print("|---|---|---|---|")
    means = {i: [float(np.mean(scores[r])) for r in Region] for i, scores in found.items()}
    for index, subset in enumerate(SUBSETS):
        name = ", ".join(modality.label for modality in Modality if modality in subset)
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in means[index])} |")
    overall = np.mean(list(means.values()), axis=0)
    print(f"| **mean of the fifteen** | {' | '.join(f'{value:.3f}' for value in overall)} |")


if __name__ == "__main__":
    main()
