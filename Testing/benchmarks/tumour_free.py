"""What the weights call tumour where there is none: forty tumour-free phantoms.

    python Testing/benchmarks/tumour_free.py [--model full] [--cases 40] [--first-seed 7000]
        [--backend openvino] [--precision fp32] [--bias-correction]

Prints the volume predicted as whole tumour in each, and the share of cases with at most 0.1 ml.
The phantoms hold vessels, plexus, white-matter lesions and the other mimics, clean or imperfectly
stripped; their seeds lie apart from those of training.
"""

from __future__ import annotations

import argparse

import numpy as np
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.preprocessing.options import PreprocessingOptions
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from BrainSegAccelLib.synthesis.cases import CaseGenerator, Stripping, SyntheticCase
from BrainSegAccelLib.synthesis.lesions import CaseKind

LIMIT_ML = 0.1


def study_of(case: SyntheticCase) -> Study:
    """The case as volumes, all four modalities."""
    affine = np.diag([case.voxel, case.voxel, case.voxel, 1.0])
    return Study(
        {modality: Volume(case.images[modality.channel].numpy(), affine) for modality in Modality}
    )


def main() -> None:
    """Run the phantoms and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=7_000)
    # Not "auto": the figure is to be the weights', the same on every machine.
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--bias-correction", action="store_true")
    options = parser.parse_args()
    preprocessing = PreprocessingOptions(bias_correction=options.bias_correction)
    asked = RunOptions(preprocessing=preprocessing)
    generator = CaseGenerator(1.0)
    pipeline = Pipeline(
        options.model, EngineChoice(backend=options.backend, precision=options.precision)
    )
    volumes = []
    for index in range(options.cases):
        stripping = Stripping.IMPERFECT if index % 4 == 3 else Stripping.CLEAN
        seed = options.first_seed + index
        case = generator.generate(seed, CaseKind.NONE, stripping)
        found = pipeline.run(study_of(case), asked).segmentation
        volumes.append(found.volume_ml(found.scheme.whole.labels))
        print(f"{seed} {stripping}: {volumes[-1]:.2f} ml", flush=True)
    within = sum(volume <= LIMIT_ML for volume in volumes)
    share = 100 * within / len(volumes)
    print(
        f"{within} of {len(volumes)} ({share:.0f} %) with at most {LIMIT_ML} ml; "
        f"largest {max(volumes):.2f} ml, median {np.median(volumes):.2f} ml"
    )


if __name__ == "__main__":
    main()
