"""Structured pruning: the most important channels of a wider network make up a narrower one.

Channels that meet in sums go together. All that is added to one residual stream (stem, blocks, up
path, skip connection, gates) keeps the same channels; what lies inside a block keeps its own; the
heads of a scan stay whole. Which channels stay is decided by the weights alone, see
:func:`importance`. Nothing is scaled to make up for what is gone: the training that follows does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import InputError
from ..network.config import NetworkConfig
from .pretrained import PretrainedWeights

_OFFSETS = 8
"""Groups of channels that `depth_to_space` spreads over the fine voxels of a coarse one."""
_SIZES = ("widths", "encoder_blocks", "ssd_blocks")

Unit = tuple[str, int]
"""What is kept or removed as a whole: a channel or a head, by its group and its number there."""
Owners = tuple[Unit | None, ...]
"""The unit that each index along an axis belongs to; None: one that always stays."""


class Role(Enum):
    """What an axis of a tensor tells about its units."""

    WRITES = auto()
    """How strong they are: the scale of their normalisation, or the weights that make them."""
    READS = auto()
    """How much they matter to a later layer."""
    FOLLOWS = auto()
    """Nothing, e.g. a bias, or weights whose scale a normalisation takes out again."""


@dataclass(frozen=True)
class Cut:
    """An axis of a tensor of :class:`HybridNetwork` that gets shorter with its units."""

    tensor: str
    axis: int
    owners: Owners
    role: Role


def pruned(weights: PretrainedWeights, network: NetworkConfig) -> PretrainedWeights:
    """Return weights of ``network``, cut out of those of a network at least as large.

    Of the blocks of a scale the first ones stay. Name and hash remain those of the file.

    :param weights: of a network that differs in widths and numbers of blocks only.
    :returns: FP32 weights; those of the same network come back unchanged.
    :raises InputError: the network of the weights is smaller somewhere, or of another kind.
    :raises ModelError: a tensor is missing, unknown or of another shape.
    """
    _require_larger(weights, network)
    tensors = weights.build(torch.device("cpu")).state_dict()
    found = list(cuts(network.model_copy(update={"widths": weights.network.widths})))
    kept = _most_important(importance(found, tensors), cuts(network))
    left = {"head.bias": tensors["head.bias"]}
    for cut in found:
        index = [place for place, unit in enumerate(cut.owners) if unit is None or unit in kept]
        tensor = left.get(cut.tensor, tensors[cut.tensor])
        left[cut.tensor] = tensor.index_select(cut.axis, torch.tensor(index))
    return replace(weights, network=network, tensors=left)


def importance(found: Iterable[Cut], tensors: Mapping[str, Tensor]) -> dict[Unit, float]:
    """Score units by magnitude, after Li et al. 2017, arXiv 1608.08710, over all their layers.

    The score of a unit u is how strong it is times how much it is used::

        score(u) = sum of n(W, u) over its writers * sum of n(W, u) over its readers
        n(W, u)  = ||slice of u in W||_2 / mean over the units of W

    so that each layer counts alike, and a unit that is never read, or always zero, scores 0.
    """
    scores: dict[Unit, dict[Role, float]] = {}
    for cut in found:
        squares: defaultdict[Unit, float] = defaultdict(float)
        along = tensors[cut.tensor].double().square().movedim(cut.axis, 0)
        for unit, square in zip(cut.owners, along.reshape(len(cut.owners), -1).sum(1), strict=True):
            if unit is not None:
                squares[unit] += float(square)
        norms = {unit: math.sqrt(square) for unit, square in squares.items()}
        mean = sum(norms.values()) / len(norms)
        for unit, norm in norms.items():
            roles = scores.setdefault(unit, dict.fromkeys(Role, 0.0))
            # A block that has learned nothing ends in zeros, and says nothing.
            roles[cut.role] += norm / mean if mean else 0.0
    return {unit: roles[Role.WRITES] * roles[Role.READS] for unit, roles in scores.items()}


def _most_important(scores: Mapping[Unit, float], smaller: Iterable[Cut]) -> Collection[Unit]:
    """Choose as many units of each group as the smaller network has; of equals the first."""
    wanted: defaultdict[str, set[Unit]] = defaultdict(set)
    for cut in smaller:
        for unit in cut.owners:
            if unit is not None:
                wanted[unit[0]].add(unit)
    groups: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in scores:
        groups[unit[0]].append(unit)
    kept: set[Unit] = set()
    for group, units in groups.items():
        units.sort(key=lambda unit: (-scores[unit], unit))
        kept.update(units[: len(wanted[group])])
    return kept


def _require_larger(weights: PretrainedWeights, network: NetworkConfig) -> None:
    theirs, ours = weights.network.model_dump(), network.model_dump()
    wrong = []
    for name, wanted in ours.items():
        given = theirs[name]
        if name in _SIZES:
            fits = all(large >= small for large, small in zip(given, wanted, strict=True))
        else:
            fits = given == wanted
        if not fits:
            wrong.append(f"{name} {given} to {wanted}")
    if wrong:
        raise InputError(
            f"cannot be pruned from {' and '.join(wrong)}",
            where=weights.name,
            remedy="only widths and numbers of blocks can shrink: change the configuration or "
            "give other weights",
        )


def cuts(config: NetworkConfig) -> Iterator[Cut]:
    """Say of every tensor but the last bias which units its indices belong to."""
    streams = [_group(f"{r} mm", w) for r, w in zip((2, 4, 8, 16), config.widths, strict=True)]
    fine, *_, coarse = streams
    yield Cut("stem.weight", 0, fine, Role.FOLLOWS)
    yield from _instance_norm("stem_norm", fine)
    for name, stream in (("stem_gate", fine), ("coarse_gate", coarse)):
        for layer in ("scale", "shift"):
            yield Cut(f"{name}.{layer}.weight", 0, stream, Role.FOLLOWS)
            yield Cut(f"{name}.{layer}.bias", 0, stream, Role.FOLLOWS)
    for index, (above, below) in enumerate(pairwise(streams)):
        yield from _normalised_convolution(f"down.{index}.conv", above, below)
        yield from _instance_norm(f"down.{index}.norm", below)
    for index, (stream, blocks) in enumerate(zip(streams, config.encoder_blocks, strict=True)):
        for block in range(blocks):
            yield from _residual_block(f"encoder.{index}.{block}", stream)
    for index, (stream, blocks) in enumerate(zip(streams[2:], config.ssd_blocks, strict=True)):
        for block in range(blocks):
            if config.token_mixer == "convolution":
                yield from _residual_block(f"ssd.{index}.{block}", stream)
            else:
                yield from _ssd_block(f"ssd.{index}.{block}", stream, config)
    for index, (below, above) in enumerate(pairwise(reversed(streams))):
        yield from _linear(f"up.{index}.expand", below, above * _OFFSETS)
        yield from _residual_block(f"up.{index}.refine", above)
    yield Cut("head.weight", 1, fine, Role.READS)


def _group(name: str, count: int) -> Owners:
    return tuple((name, number) for number in range(count))


def _linear(name: str, reads: Owners, writes: Owners) -> Iterator[Cut]:
    yield Cut(f"{name}.weight", 0, writes, Role.WRITES)
    yield Cut(f"{name}.weight", 1, reads, Role.READS)
    yield Cut(f"{name}.bias", 0, writes, Role.FOLLOWS)


def _normalised_convolution(name: str, reads: Owners, writes: Owners) -> Iterator[Cut]:
    yield Cut(f"{name}.weight", 0, writes, Role.FOLLOWS)
    yield Cut(f"{name}.weight", 1, reads, Role.READS)


def _instance_norm(name: str, units: Owners) -> Iterator[Cut]:
    yield Cut(f"{name}.weight", 0, units, Role.WRITES)
    yield Cut(f"{name}.bias", 0, units, Role.FOLLOWS)


def _layer_norm(name: str, units: Owners) -> Iterator[Cut]:
    yield Cut(f"{name}.weight", 0, units, Role.FOLLOWS)
    yield Cut(f"{name}.bias", 0, units, Role.FOLLOWS)


def _residual_block(name: str, stream: Owners) -> Iterator[Cut]:
    inner = _group(name, len(stream))
    yield from _normalised_convolution(f"{name}.first", stream, inner)
    yield from _instance_norm(f"{name}.first_norm", inner)
    yield from _normalised_convolution(f"{name}.second", inner, stream)
    yield from _instance_norm(f"{name}.second_norm", stream)


def _ssd_block(name: str, stream: Owners, config: NetworkConfig) -> Iterator[Cut]:
    """The block is as wide inside as its stream: each scan has one head for ``head_width``."""
    # What a scan's heads share: the inflow B and the outflow C of the state.
    shared: Owners = (None,) * (2 * config.state_width)
    scanned: Owners = ()
    for direction in ("forward_scan", "backward_scan"):
        scan = f"{name}.{direction}"
        heads = _group(scan, len(stream) // config.head_width)
        values = tuple(head for head in heads for _ in range(config.head_width))
        yield from _linear(f"{scan}.project", stream, values + shared + heads)
        for vector in ("log_decay", "step_bias", "skip"):
            yield Cut(f"{scan}.{vector}", 0, heads, Role.FOLLOWS)
        scanned += values
    yield from _layer_norm(f"{name}.norm", stream)
    yield from _linear(f"{name}.gate", stream, scanned)
    yield from _layer_norm(f"{name}.mixed_norm", scanned)
    yield from _linear(f"{name}.project", scanned, stream)
    hidden = _group(f"{name}.perceptron", 2 * len(stream))
    yield from _layer_norm(f"{name}.perceptron_norm", stream)
    yield from _linear(f"{name}.expand", stream, hidden)
    yield from _linear(f"{name}.contract", hidden, stream)
