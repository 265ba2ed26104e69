"""What brain extraction makes of a raw study, held against another tool's extraction of it.

The brain is looked for in every sequence on its own; a run looks in the reference only. All
sequences, and those of the extracted copy, are registered onto the reference, and each mask is
compared with the extracted brain there: Dice, what it misses, what it has too much, and its volume.
Prints a Markdown table.

    python Testing/benchmarks/brain_on_study.py RAW_DIR EXTRACTED_DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from BrainSegAccelLib.geometry.resampling import resample
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.brain_finder import find_brain
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.preprocessing.options import RegistrationMode
from BrainSegAccelLib.preprocessing.registration.align import align
from BrainSegAccelLib.preprocessing.registration.evidence import Decision
from BrainSegAccelLib.preprocessing.registration.pyramid import Pyramid
from BrainSegAccelLib.preprocessing.registration.refine import SimpleItkRegistration
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study

OTHER = Modality.T2
"""What the extracted copy of the reference is called while it is registered."""


def on_reference(mask: np.ndarray, volume: Volume, motion: np.ndarray, reference: Volume):
    """Bring a mask of a volume onto the reference's grid."""
    grid = volume.moved(motion).grid
    return resample(mask.astype(np.float32), grid, reference.grid)[0] >= 0.5


def beside(volume: Volume, reference: Volume) -> Volume:
    """Shift a volume so that the heads share their centre: it may come from another space."""
    shift = np.eye(4)
    shift[:3, 3] = Pyramid(reference).centre - Pyramid(volume).centre
    return volume.moved(shift)


def register_copy(study: Study, extracted: Study) -> tuple[Volume, np.ndarray]:
    """Register the extracted copy of the reference onto the reference.

    :returns: the copy, beside the reference, and its motion onto it, as a matrix (4, 4).
    :raises SystemExit: it was not registered.
    """
    reference = study[study.reference]
    copy = beside(extracted[study.reference], reference)
    pair = Study({study.reference: reference, OTHER: copy})
    found = align(pair, SimpleItkRegistration(), RegistrationMode.ON)[OTHER]
    if found.decision is not Decision.REGISTERED:
        raise SystemExit(
            f"the extracted copy was not registered: {found.decision}, {found.objection}"
        )
    return copy, found.motion


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path, help="folder with modalities, skull on")
    parser.add_argument("extracted", type=Path, help="the same ones as 1 mm brains, zero outside")
    options = parser.parse_args()
    study, extracted = (read_study(discover(d)) for d in (options.raw, options.extracted))
    reference = study[study.reference]
    copy, onto_reference = register_copy(study, extracted)
    brain = on_reference(copy.array != 0, copy, onto_reference, reference)
    motions = {
        m: a.motion for m, a in align(study, SimpleItkRegistration(), RegistrationMode.ON).items()
    }
    millilitres = reference.grid.voxel_volume_mm3 / 1000.0
    print("| mask | Dice | missed | too much | ml |\n|---|---|---|---|---|")
    print(f"| extracted copy | | | | {brain.sum() * millilitres:.0f} |")
    for modality, volume in study.items():
        motion = motions.get(modality, np.eye(4))
        mask = on_reference(find_brain(volume), volume, motion, reference)
        missed, extra = (np.count_nonzero(m) / brain.sum() for m in (brain & ~mask, mask & ~brain))
        print(
            f"| {modality.label} | {dice(mask, brain):.3f} | {missed:.1%} | {extra:.1%} "
            f"| {mask.sum() * millilitres:.0f} |"
        )


if __name__ == "__main__":
    main()
