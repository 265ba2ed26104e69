"""How far an engine of few digits may be from FP32 on a random network.

There logits reach far and single voxels flip, whichever processor rounds: a bound on the largest
difference hangs on one voxel. A mean and a share tell rounding from a fault, which is everywhere.
In FP32 itself every voxel counts: what is wrong at a border only is seen by the largest difference.
"""

from __future__ import annotations

import numpy as np
from BrainSegAccelLib.backends.protocol import Precision

FP32_LARGEST = 1e-4
MEAN = {Precision.FP16: 0.002, Precision.BF16: 0.015, Precision.INT8: 0.03}
"""Largest mean difference of a probability: FP16 keeps 11 bits of a number and BF16 8. PyTorch's
own autocast, on inputs of several seeds, comes to at most 0.0008 and 0.006."""
FAR = {Precision.FP16: 0.02, Precision.BF16: 0.15}
FAR_SHARE = 0.001
"""No more than this share of the voxels is off by more than that; autocast has none, or with BF16
one in 20000. Nothing is asked of INT8, whose steps are wide where a range is."""


def assert_close_to_fp32(found: np.ndarray, expected: np.ndarray, precision: Precision) -> None:
    """Fail if probabilities differ from those of FP32 by more than the precision explains."""
    off = np.abs(found - expected)
    if precision is Precision.FP32:
        assert off.max() <= FP32_LARGEST
        return
    assert off.mean() <= MEAN[precision]
    assert (off > FAR.get(precision, 1.0)).mean() <= FAR_SHARE
