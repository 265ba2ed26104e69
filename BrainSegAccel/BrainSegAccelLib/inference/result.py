"""What a run gives back: the segmentation and everything the manifest tells about the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backends.protocol import EngineInfo, Shape
from ..modality import Modality
from ..segmentation import Segmentation
from ..volume import Grid


@dataclass(frozen=True)
class PreprocessingRecord:
    """What preprocessing did.

    :param reference: the modality on whose grid the result lies.
    :param resampled: modality -> True if its values were interpolated onto the model grid,
        False if they were only cropped.
    :param foreground: how the mask was found, e.g. ``"non-zero voxels"``.
    :param foreground_ml: its volume.
    :param model_grid: the 1 mm grid in patient space that the network saw.
    """

    reference: Modality
    resampled: Mapping[Modality, bool]
    foreground: str
    foreground_ml: float
    model_grid: Grid


@dataclass(frozen=True, eq=False)
class RunResult:
    """A finished run.

    :param probabilities: float32 (3, D, H, W) of ET, TC, WT on ``preprocessing.model_grid``.
    :param engine: the engine that ran.
    :param windows: 1 for a whole-brain pass, else the number of sliding windows.
    :param window_shape: static shape of the engine.
    :param stages_ms: wall milliseconds of every stage of the run, in order.
    """

    segmentation: Segmentation
    probabilities: NDArray[np.float32]
    preprocessing: PreprocessingRecord
    engine: EngineInfo
    windows: int
    window_shape: Shape
    stages_ms: Mapping[str, float]
