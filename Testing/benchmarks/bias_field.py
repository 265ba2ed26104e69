"""What bias correction does to the segmentation, and what it costs.

Every modality of a labelled case is multiplied by a smooth random field of its own, exp of a random
polynomial of second degree, of a given standard deviation over the head (0 for none; 0.25 spans
about a factor of three from end to end). Each is segmented with and without ``--bias-correction``.
Prints Dice of the whole tumour and the seconds of preprocessing as a Markdown table.

    python Testing/benchmarks/bias_field.py CASE_DIR [CASE_DIR …] [--backend openvino]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.metrics.regions import score
from BrainSegAccelLib.preprocessing.foreground import find_foreground
from BrainSegAccelLib.preprocessing.options import PreprocessingOptions, RegistrationMode
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.study import Study

STRENGTHS = (0.0, 0.15, 0.25, 0.4)


def biased(volume: Volume, strength: float, rng: np.random.Generator) -> Volume:
    """Multiply a volume by a random field.

    :param strength: standard deviation of the field's logarithm over the head.
    """
    z, y, x = np.meshgrid(
        *(np.linspace(-1, 1, n) for n in volume.array.shape), indexing="ij", sparse=True
    )
    terms = (x, y, z, x * x, y * y, z * z, x * y, y * z, x * z)
    field = sum(factor * term for factor, term in zip(rng.normal(size=9), terms, strict=True))
    head = find_foreground(volume.array).mask
    field = (field - field[head].mean()) * (strength / field[head].std())
    return Volume((volume.array * np.exp(field)).astype(np.float32), volume.affine, volume.name)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, nargs="+", help="folders with modalities and seg")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pipeline = Pipeline(engine=EngineChoice(backend=options.backend))
    pipeline.warm()
    found: dict[tuple[float, bool], list[tuple[float, float]]] = {}
    for case in options.cases:
        scheme = pipeline.package.card.outputs.scheme
        study, truth = read_study(discover(case)), read_labels(case / "seg.nii.gz", scheme)
        for strength in STRENGTHS:
            rng = np.random.default_rng(options.seed)
            changed = Study({m: biased(volume, strength, rng) for m, volume in study.items()})
            for corrected in (False, True):
                clock = StageClock()
                asked = PreprocessingOptions(
                    registration=RegistrationMode.OFF, bias_correction=corrected
                )
                result = pipeline.run(changed, RunOptions(preprocessing=asked), clock)
                dice = score(result.segmentation, truth)[scheme.whole.identifier].dice
                seconds = clock.stages_ms["preprocess"] / 1000.0
                found.setdefault((strength, corrected), []).append((dice, seconds))
        print(f"{case.name} done", file=sys.stderr)
    print("| field | WT Dice, as it is | corrected | preprocessing s, as it is | corrected |")
    print("|---|---|---|---|---|")
    for strength in STRENGTHS:
        plain, corrected = (np.mean(found[strength, on], axis=0) for on in (False, True))
        print(
            f"| {strength:.2f} | {plain[0]:.3f} | {corrected[0]:.3f} "
            f"| {plain[1]:.2f} | {corrected[1]:.2f} |"
        )


if __name__ == "__main__":
    main()
