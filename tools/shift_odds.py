"""Multiply the odds that a training run's weights give to one region.

    python tools/shift_odds.py RUN OUTPUT --region ET --factor 3

A network that outlines a region too tightly on images unlike those it learned from does better at a
lower threshold. This makes that threshold a part of the weights: what had odds of ``1 / factor``
has a probability of one half then, on every backend. The last layer's bias takes the shift, so that
nothing else changes. OUTPUT becomes a folder as training leaves it, to be shipped with
ship_model.py.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.models.tasks import TUMOUR
from BrainSegAccelLib.training.checkpoint import save_weights
from BrainSegAccelLib.training.config import read_config
from BrainSegAccelLib.training.pretrained import read_pretrained
from BrainSegAccelLib.training.train import WEIGHTS

_BIAS = "head.bias"


def main() -> None:
    """Read, shift, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run or of a mean")
    parser.add_argument("output", type=Path)
    parser.add_argument("--region", choices=TUMOUR.outputs.channels, required=True)
    parser.add_argument("--factor", type=float, required=True, help="above 0; 1 changes nothing")
    options = parser.parse_args()
    if not 0 < options.factor < math.inf:
        raise InputError("must be above 0 and finite", where="--factor")
    tensors = dict(read_pretrained(str(options.run / WEIGHTS)).tensors)
    bias = tensors[_BIAS].float().clone()
    channels = TUMOUR.outputs.channels
    # The head predicts eight voxels at a time, each with all the regions: see `depth_to_space`.
    bias[channels.index(options.region) :: len(channels)] += math.log(options.factor)
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.copy(options.run / "training.json", options.output)
    config = read_config(options.run / "training.json")
    save_weights(options.output / WEIGHTS, tensors | {_BIAS: bias}, config)


if __name__ == "__main__":
    main()
