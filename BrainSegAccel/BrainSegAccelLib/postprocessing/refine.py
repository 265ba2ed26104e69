"""Labelling the grid of a result at any thresholds, without running the network again."""

from __future__ import annotations

import numpy as np

from ..study.segmentation import Segmentation
from .components import remove_unlikely_components
from .kept import KeptProbabilities
from .labelling import labels_from_probabilities, where_sure
from .refinement import ResolvedRefinement


def refine(kept: KeptProbabilities, refinement: ResolvedRefinement) -> Segmentation:
    """Label the native grid from probabilities that lie on it.

    :returns: labels on ``kept.grid``; only the box is touched, so this is fast enough for a slider.
    """
    labels = np.zeros(kept.grid.shape, dtype=np.uint8)
    if kept.values.size:
        found = labels_from_probabilities(kept.values, kept.outputs, refinement.thresholds)
        labels[kept.box] = remove_unlikely_components(
            found,
            where_sure(kept.values, kept.outputs, refinement),
            kept.grid.voxel_volume_mm3,
            refinement.smallest_lesion_ml,
        )
    return Segmentation(labels, kept.grid, kept.outputs.scheme)
