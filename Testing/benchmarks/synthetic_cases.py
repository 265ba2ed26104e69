"""What the shipped weights find in synthetic tumours: the cases between which weights are chosen.

    python Testing/benchmarks/synthetic_cases.py [--model full] [--cases 24] [--first-seed 960000]
        [--backend openvino] [--precision fp32]

Prints Dice of each region, case by case and mean, all four modalities given. Ring-enhancing, patchy
and other tumours come in turn, rings twice; their seeds lie apart from those of training.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.label_scheme import LabelScheme
from BrainSegAccelLib.synthesis.cases import CaseGenerator
from BrainSegAccelLib.synthesis.lesions import CaseKind
from tumour_free import study_of

KINDS = (
    CaseKind.RING,
    CaseKind.PATCHY,
    CaseKind.RING,
    CaseKind.METASTASES,
    CaseKind.SOLID,
    CaseKind.NON_ENHANCING,
)


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=960_000)
    # Not "auto": the figure is to be the weights', the same on every machine.
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    generator = CaseGenerator(1.0)
    pipeline = Pipeline(
        options.model, EngineChoice(backend=options.backend, precision=options.precision)
    )
    scheme, rows = pipeline.package.card.outputs.scheme, []
    for index in range(options.cases):
        case = generator.generate(options.first_seed + index, KINDS[index % len(KINDS)])
        segmentation = pipeline.run(study_of(case)).segmentation
        reference = case.label_map().numpy()
        row = []
        for region in scheme.regions:
            truth = scheme.mask(reference, region)
            found = scheme.mask(segmentation.labels, region)
            row.append(dice(found, truth) if truth.any() else np.nan)
        rows.append(row)
        print(f"{case.seed} {case.kind}: {_shown(scheme, row)}", flush=True)
    print(f"mean: {_shown(scheme, np.nanmean(rows, axis=0))}")


def _shown(scheme: LabelScheme, values: Iterable[float]) -> str:
    pairs = zip(scheme.regions, values, strict=True)
    return ", ".join(f"{region.identifier} {value:.3f}" for region, value in pairs)


if __name__ == "__main__":
    main()
