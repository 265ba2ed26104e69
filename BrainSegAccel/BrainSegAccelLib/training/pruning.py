"""Structured pruning: the most important channels of a wider network make up a narrower one.

Channels that meet in sums go together. All that is added to one residual stream (stem, blocks, up
path, skip connection, gates) keeps the same channels; what lies inside a block keeps its own; the
heads of a scan stay whole. Which channels stay is decided by the weights alone, see
:func:`_importance`. Nothing is scaled to make up for what is gone: the training that follows does.
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
from ..models.config import HybridConfig
from .pretrained import PretrainedWeights

_OFFSETS = 8
"""Groups of channels that `depth_to_space` spreads over the fine voxels of a coarse one."""
_SIZES = ("widths", "encoder_blocks", "ssd_blocks")

Unit = tuple[str, int]
"""What is kept or removed as a whole: a channel or a head, by its group and its number there."""


@dataclass(frozen=True)
class Part:
    """Neighbours along an axis: ``units`` channels or heads, each of ``size`` indices.

    :param among: the group whose units they are. All parts of a group keep the same units.
    """

    among: str
    units: int
    size: int = 1

    def indices(self) -> list[Unit]:
        """Return the unit of each index."""
        return [(self.among, unit) for unit in range(self.units) for _ in range(self.size)]


Axis = tuple[Part, ...]
"""What lies along an axis of a tensor, one part after another; empty: nothing that can go."""


class Role(Enum):
    """What an axis of a tensor tells about its units."""

    WRITES = auto()
    """How strong they are: the scale of their normalisation, or the weights that make them."""
    READS = auto()
    """How much they matter to a later layer."""
    FOLLOWS = auto()
    """Nothing, e.g. a bias, or weights whose scale a normalisation takes out again."""


@dataclass(frozen=True)
class _Cut:
    """An axis of a tensor of :class:`HybridNetwork` that gets shorter with its units."""

    tensor: str
    number: int
    axis: Axis
    role: Role


def prune(weights: PretrainedWeights, network: HybridConfig) -> PretrainedWeights:
    """Return weights of ``network``, cut out of those of a network at least as large.

    Of the blocks of a scale the first ones stay. Name and hash remain those of the file.

    :param weights: of a network that differs in widths and numbers of blocks only.
    :returns: FP32 weights; those of the same network come back unchanged.
    :raises InputError: the network of the weights is smaller somewhere, or of another kind.
    :raises ModelError: a tensor is missing, unknown or of another shape.
    """
    _require_larger(weights, network)
    tensors = weights.build(torch.device("cpu")).state_dict()
    wide = network.model_copy(update={"widths": weights.network.widths})
    kept = _most_important(_importance(_cuts(wide), tensors), _cuts(network))
    left = {"head.bias": tensors["head.bias"]}
    for name, axes in axes_of(wide).items():
        left[name] = tensors[name]
        for number, axis in enumerate(axes):
            if axis:
                index = [place for place, unit in enumerate(_units(axis)) if unit in kept]
                left[name] = left[name].index_select(number, torch.tensor(index))
    return replace(weights, network=network, tensors=left)


def axes_of(config: HybridConfig) -> dict[str, tuple[Axis, ...]]:
    """Tell of every parameter but the last bias, which stays as it is, what lies along its axes."""
    axes: dict[str, tuple[Axis, ...]] = {}
    for cut in _cuts(config):
        before = axes.get(cut.tensor, ())
        axes[cut.tensor] = (*before, *((),) * (cut.number - len(before)), cut.axis)
    return axes


def _importance(cuts: Iterable[_Cut], tensors: Mapping[str, Tensor]) -> dict[Unit, float]:
    """Score units by magnitude, after Li et al. 2017, arXiv 1608.08710, over all their layers.

    The score of a unit u is how strong it is times how much it is used::

        score(u) = sum of n(W, u) over its writers * sum of n(W, u) over its readers
        n(W, u)  = ||slice of u in W||_2 / mean over the units of W

    so that each layer counts alike, and a unit that is never read, or always zero, scores 0.
    """
    scores: dict[Unit, dict[Role, float]] = {}
    for cut in cuts:
        squares: defaultdict[Unit, float] = defaultdict(float)
        along = tensors[cut.tensor].double().square().movedim(cut.number, 0).flatten()
        units = _units(cut.axis)
        for unit, square in zip(units, along.reshape(len(units), -1).sum(1).tolist(), strict=True):
            squares[unit] += square
        norms = {unit: math.sqrt(square) for unit, square in squares.items()}
        mean = sum(norms.values()) / len(norms)
        for unit, norm in norms.items():
            roles = scores.setdefault(unit, dict.fromkeys(Role, 0.0))
            # A block that has learned nothing ends in zeros, and says nothing.
            roles[cut.role] += norm / mean if mean else 0.0
    return {unit: roles[Role.WRITES] * roles[Role.READS] for unit, roles in scores.items()}


def _most_important(scores: Mapping[Unit, float], smaller: Iterable[_Cut]) -> Collection[Unit]:
    """Choose as many units of each group as the smaller network has; of equals the first."""
    wanted = {part.among: part.units for cut in smaller for part in cut.axis}
    groups: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in scores:
        groups[unit[0]].append(unit)
    kept: set[Unit] = set()
    for group, units in groups.items():
        units.sort(key=lambda unit: (-scores[unit], unit))
        kept.update(units[: wanted[group]])
    return kept


def _require_larger(weights: PretrainedWeights, network: HybridConfig) -> None:
    theirs, ours = weights.network.model_dump(), network.model_dump()
    for name, wanted in ours.items():
        given = theirs[name]
        if name in _SIZES:
            fits = all(large >= small for large, small in zip(given, wanted, strict=True))
        else:
            fits = given == wanted
        if not fits:
            raise InputError(
                f"cannot be pruned to {name} {wanted}, as it has {'only ' * (name in _SIZES)}"
                f"{given}",
                where=weights.name,
                remedy="change the configuration or give the weights of another network",
            )


def _cuts(config: HybridConfig) -> Iterator[_Cut]:
    """Go through all axes of all tensors that get shorter, in order of their number."""
    streams = [_group(f"{mm} mm", w) for mm, w in zip((2, 4, 8, 16), config.widths, strict=True)]
    fine, *_, coarse = streams
    yield _Cut("stem.weight", 0, fine, Role.FOLLOWS)
    yield from _instance_norm("stem_norm", fine)
    for name, stream in (("stem_gate", fine), ("coarse_gate", coarse)):
        for layer in ("scale", "shift"):
            yield _Cut(f"{name}.{layer}.weight", 0, stream, Role.FOLLOWS)
            yield _Cut(f"{name}.{layer}.bias", 0, stream, Role.FOLLOWS)
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
    yield _Cut("head.weight", 1, fine, Role.READS)


def _group(name: str, count: int) -> Axis:
    return (Part(name, count),)


def _units(axis: Axis) -> list[Unit]:
    """Return the unit of each index."""
    return [unit for part in axis for unit in part.indices()]


def _width(stream: Axis) -> int:
    return sum(part.units for part in stream)


def _linear(name: str, reads: Axis, writes: Axis) -> Iterator[_Cut]:
    yield _Cut(f"{name}.weight", 0, writes, Role.WRITES)
    yield _Cut(f"{name}.weight", 1, reads, Role.READS)
    yield _Cut(f"{name}.bias", 0, writes, Role.FOLLOWS)


def _normalised_convolution(name: str, reads: Axis, writes: Axis) -> Iterator[_Cut]:
    yield _Cut(f"{name}.weight", 0, writes, Role.FOLLOWS)
    yield _Cut(f"{name}.weight", 1, reads, Role.READS)


def _instance_norm(name: str, units: Axis) -> Iterator[_Cut]:
    yield _Cut(f"{name}.weight", 0, units, Role.WRITES)
    yield _Cut(f"{name}.bias", 0, units, Role.FOLLOWS)


def _layer_norm(name: str, units: Axis) -> Iterator[_Cut]:
    yield _Cut(f"{name}.weight", 0, units, Role.FOLLOWS)
    yield _Cut(f"{name}.bias", 0, units, Role.FOLLOWS)


def _residual_block(name: str, stream: Axis) -> Iterator[_Cut]:
    inner = _group(name, _width(stream))
    yield from _normalised_convolution(f"{name}.first", stream, inner)
    yield from _instance_norm(f"{name}.first_norm", inner)
    yield from _normalised_convolution(f"{name}.second", inner, stream)
    yield from _instance_norm(f"{name}.second_norm", stream)


def _ssd_block(name: str, stream: Axis, config: HybridConfig) -> Iterator[_Cut]:
    """The block is as wide inside as its stream: each scan has one head for ``head_width``."""
    width = _width(stream)
    heads = width // config.head_width
    scanned: Axis = ()
    for direction in ("forward_scan", "backward_scan"):
        scan = f"{name}.{direction}"
        values, per_head = Part(scan, heads, config.head_width), Part(scan, heads)
        # What the heads share, and what always stays: inflow B and outflow C of the state.
        state = Part(f"{scan}.state", 2 * config.state_width)
        yield from _linear(f"{scan}.project", stream, (values, state, per_head))
        for vector in ("log_decay", "step_bias", "skip"):
            yield _Cut(f"{scan}.{vector}", 0, (per_head,), Role.FOLLOWS)
        scanned += (values,)
    yield from _layer_norm(f"{name}.norm", stream)
    yield from _linear(f"{name}.gate", stream, scanned)
    yield from _layer_norm(f"{name}.mixed_norm", scanned)
    yield from _linear(f"{name}.project", scanned, stream)
    hidden = _group(f"{name}.perceptron", 2 * width)
    yield from _layer_norm(f"{name}.perceptron_norm", stream)
    yield from _linear(f"{name}.expand", stream, hidden)
    yield from _linear(f"{name}.contract", hidden, stream)
