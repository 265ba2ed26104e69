"""From the probabilities of three nested regions to one label map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..study.regions import Label, Region

DEFAULT_THRESHOLDS: Mapping[Region, float] = {region: 0.5 for region in Region}


def labels_from_probabilities(
    probabilities: NDArray[np.float32],
    thresholds: Mapping[Region, float] = DEFAULT_THRESHOLDS,
) -> NDArray[np.uint8]:
    """Threshold each region, keep them nested (ET in TC in WT), and label their differences.

    :param probabilities: (3, …) of ET, TC, WT.
    :returns: uint8 (…): 1 necrotic core (TC without ET), 2 oedema (WT without TC), 3 ET.
    """
    whole = probabilities[2] > thresholds[Region.WT]
    core = whole & (probabilities[1] > thresholds[Region.TC])
    enhancing = core & (probabilities[0] > thresholds[Region.ET])
    # Sums instead of masks, which are slower: a region adds to the label of the one around it.
    labels = whole * np.uint8(Label.OEDEMA)
    labels -= core * np.uint8(Label.OEDEMA - Label.NECROTIC_CORE)
    labels += enhancing * np.uint8(Label.ENHANCING_TUMOUR - Label.NECROTIC_CORE)
    return labels
