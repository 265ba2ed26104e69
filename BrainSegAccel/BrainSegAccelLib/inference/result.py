"""What a run gives back: the segmentation and everything the manifest tells about the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backends.protocol import EngineInfo, Shape
from ..postprocessing.kept import KeptProbabilities
from ..postprocessing.refinement import ResolvedRefinement
from ..preprocessing.network_input import NetworkInput
from ..preprocessing.record import Preprocessing
from ..study.segmentation import Segmentation


@dataclass(frozen=True, eq=False)
class RunResult:
    """A finished run.

    :param kept: what ``segmentation`` was labelled from, on the same grid.
    :param refinement: how ``segmentation`` was labelled.
    :param network_input: what the network was given.
    :param probabilities: float32 (C, D, H, W) on ``network_input.grid``.
    :param engine: the engine that ran.
    :param windows: 1 for a whole-brain pass, else the number of sliding windows.
    :param overlap: smallest share of a window that its neighbour covers too.
    :param window_shape: static shape of the engine.
    :param stages_ms: wall milliseconds of every stage of the run, in order.
    """

    segmentation: Segmentation
    kept: KeptProbabilities
    refinement: ResolvedRefinement
    network_input: NetworkInput
    probabilities: NDArray[np.float32]
    engine: EngineInfo
    windows: int
    overlap: float
    window_shape: Shape
    stages_ms: Mapping[str, float]

    @property
    def preprocessing(self) -> Preprocessing:
        """What preprocessing did."""
        return self.network_input.record
