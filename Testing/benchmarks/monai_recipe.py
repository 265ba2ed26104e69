"""The plain way to segment a case with MONAI, from four files to one file, as a yardstick.

LoadImage x4, NormalizeIntensity, SegResNet with the settings of MONAI's brats bundle in FP32
eager, one sliding window of 240x240x160, SaveImage. Its weights are random: they bear on what it
finds, not on how long it takes.

    python Testing/benchmarks/monai_recipe.py CASE_DIR OUTPUT_DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from BrainSegAccelLib.files.discover import discover
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import SegResNet
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    ConcatItemsd,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    SaveImaged,
)

MODALITIES = ["t1c", "t1", "t2", "flair"]


def main(case: Path, output: Path) -> None:
    """Segment the four modalities of a case folder and write the result into a folder."""
    before = Compose(
        [
            LoadImaged(MODALITIES),
            EnsureChannelFirstd(MODALITIES),
            ConcatItemsd(MODALITIES, name="image"),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        ]
    )
    after = Compose(
        [
            Activationsd("pred", sigmoid=True),
            AsDiscreted("pred", threshold=0.5),
            SaveImaged("pred", output_dir=str(output), print_log=False),
        ]
    )
    network = SegResNet(
        init_filters=16, blocks_down=(1, 2, 2, 4), in_channels=4, out_channels=3
    ).eval()
    inferer = SlidingWindowInferer(roi_size=(240, 240, 160), sw_batch_size=1, overlap=0.5)
    found = discover(case)
    data = before({str(modality): str(path) for modality, path in found.items()})
    with torch.inference_mode():
        data["pred"] = inferer(data["image"][None], network)[0]
    after(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
