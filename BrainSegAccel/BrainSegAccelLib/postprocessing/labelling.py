"""From what a network says of every voxel to one label map."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..models.description import BACKGROUND_CHANNEL, Outputs
from ..study.label_scheme import BACKGROUND, Label, Region
from .refinement import ResolvedRefinement

Probabilities = NDArray[np.float32]
"""float32 (C, …), one channel for each of ``Outputs.channels``."""


def labels_from_probabilities(
    probabilities: Probabilities, outputs: Outputs, thresholds: Mapping[str, float]
) -> NDArray[np.uint8]:
    """Label every voxel.

    Sigmoid: a voxel belongs to a region where the region's probability is above its threshold,
    and, where regions are nested, to the region around it too. Regions are painted over one
    another in the order of `LabelScheme.painted`.

    Softmax: a threshold t counts as odds of (1 - t) / t. A voxel is tumour where a label's
    probability times the odds of an outermost region that it belongs to exceeds that of the
    background; its label is then the one with the largest probability times the odds of all
    regions that it belongs to. With all thresholds at 0.5 this is the plain argmax.

    :param probabilities: float32 (C, …).
    :param thresholds: by identifier of every region, above 0 to 1.
    :returns: uint8 (…), values of the scheme, 0 for background.
    """
    if outputs.activation == "softmax":
        return _by_largest(probabilities, outputs, thresholds)
    labels = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    masks: dict[str, NDArray[np.bool_]] = {}
    for region, value in outputs.scheme.painted():
        mask = probabilities[_channel(outputs, region)] > thresholds[region.identifier]
        if outputs.nested and region.parent is not None:
            mask &= masks[region.parent]
        masks[region.identifier] = mask
        np.copyto(labels, np.uint8(value), where=mask)
    return labels


def tumour_probability(probabilities: Probabilities, outputs: Outputs) -> NDArray[np.float32]:
    """Return how probable it is that a voxel is any label at all.

    Sigmoid: the largest probability of the outermost regions. Softmax: that of all labels
    together.

    :param probabilities: float32 (C, …).
    :returns: float32 (…); may share memory with ``probabilities``.
    """
    if outputs.activation == "softmax":
        return probabilities[[channel for channel, _label in _labels(outputs)]].sum(axis=0)
    outermost = [probabilities[_channel(outputs, region)] for region in outputs.scheme.outermost()]
    return outermost[0] if len(outermost) == 1 else np.max(outermost, axis=0)


def where_sure(
    probabilities: Probabilities, outputs: Outputs, refinement: ResolvedRefinement
) -> NDArray[np.bool_]:
    """Return where a voxel is as surely tumour as a connected part must be somewhere.

    :param probabilities: float32 (C, …).
    :returns: bool (…): an outermost region, or a label of softmax, reaches
        `ResolvedRefinement.peak_odds` times the odds at which it counts.
    """
    sure = np.zeros(probabilities.shape[1:], dtype=bool)
    if outputs.activation == "softmax":
        needed = refinement.peak_odds * _background(probabilities, outputs)
        for channel, label in _labels(outputs):
            odds = _odds_against_background(label, outputs, refinement.thresholds)
            sure |= probabilities[channel] * odds >= needed
    else:
        for region in outputs.scheme.outermost():
            sure |= probabilities[_channel(outputs, region)] >= refinement.lowest_peak(region)
    return sure


def _by_largest(
    probabilities: Probabilities, outputs: Outputs, thresholds: Mapping[str, float]
) -> NDArray[np.uint8]:
    background = _background(probabilities, outputs)
    tumour = np.zeros(background.shape, dtype=bool)
    largest = np.full(background.shape, -1.0, dtype=np.float32)
    labels = np.full(background.shape, BACKGROUND, dtype=np.uint8)
    for channel, label in _labels(outputs):
        probability = probabilities[channel]
        tumour |= probability * _odds_against_background(label, outputs, thresholds) > background
        weighted = probability * _odds_among_labels(label, outputs, thresholds)
        larger = weighted > largest
        np.copyto(largest, weighted, where=larger)
        np.copyto(labels, np.uint8(label.value), where=larger)
    labels *= tumour
    return labels


def _labels(outputs: Outputs) -> Iterator[tuple[int, Label]]:
    """Yield the channel of every label, and the label."""
    by_identifier = {label.identifier: label for label in outputs.scheme.labels}
    for channel, identifier in enumerate(outputs.channels):
        if identifier != BACKGROUND_CHANNEL:
            yield channel, by_identifier[identifier]


def _background(probabilities: Probabilities, outputs: Outputs) -> NDArray[np.float32]:
    background: NDArray[np.float32] = probabilities[outputs.channels.index(BACKGROUND_CHANNEL)]
    return background


def _odds_against_background(
    label: Label, outputs: Outputs, thresholds: Mapping[str, float]
) -> float:
    """Return the odds of the outermost region that a label is most easily found in."""
    return max(
        _odds(thresholds[region.identifier])
        for region in outputs.scheme.outermost()
        if label.value in region.labels
    )


def _odds_among_labels(label: Label, outputs: Outputs, thresholds: Mapping[str, float]) -> float:
    """Return the product of the odds of all regions that a label belongs to."""
    return math.prod(
        _odds(thresholds[region.identifier])
        for region in outputs.scheme.regions
        if label.value in region.labels
    )


def _odds(threshold: float) -> float:
    return (1.0 - threshold) / threshold


def _channel(outputs: Outputs, region: Region) -> int:
    return outputs.channels.index(region.identifier)
