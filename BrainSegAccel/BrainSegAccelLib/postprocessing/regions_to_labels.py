"""From the probabilities of three nested regions to one label map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..regions import Label, Region

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
    labels = np.zeros(whole.shape, dtype=np.uint8)
    labels[whole] = Label.OEDEMA
    labels[core] = Label.NECROTIC_CORE
    labels[enhancing] = Label.ENHANCING_TUMOUR
    return labels
