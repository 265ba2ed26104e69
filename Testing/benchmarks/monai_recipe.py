"""The plain way to segment a case with MONAI, from four files to one file, as a yardstick.

A process of its own around `benchmark.peers.monai_recipe`: LoadImage x4, NormalizeIntensity,
SegResNet with the settings of MONAI's brats bundle in FP32 eager, one sliding window of
240x240x160, SaveImage.

    python Testing/benchmarks/monai_recipe.py CASE_DIR OUTPUT_DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

from BrainSegAccelLib.benchmark.peers import monai_recipe
from BrainSegAccelLib.io.discover import discover


def main(case: Path, output: Path) -> None:
    """Segment the four modalities of a case folder and write the result into a folder."""
    files = {str(modality): str(path) for modality, path in discover(case).items()}
    monai_recipe(files, str(output))()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
