"""Requests and results as messages, their arrays in shared memory."""

from __future__ import annotations

from collections.abc import Generator, Mapping, MutableMapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..geometry.roi import Roi
from ..geometry.volume import Grid, Volume
from ..postprocessing.kept import KeptProbabilities
from ..study.modality import Modality
from ..study.segmentation import Segmentation
from . import events, messages
from .memory import Block, put, take
from .requests import ListBackends, Request, Segment, WarmUp

MessageT = TypeVar("MessageT", bound=messages.Message)
Steps = Generator[None, None, MessageT]
"""Work in steps of about a millisecond, and the message that is then to be sent."""


Known = MutableMapping[Volume, messages.VolumeMessage]
"""How the worker knows volumes that it has."""


def pack(
    task: int, request: Request, folder: Path, held: list[Block], known: Known
) -> Steps[messages.Asked]:
    """Put the arrays of a request into shared memory and return its message.

    :param held: receives the blocks; keep them until the worker has taken them.
    :param known: volumes that need not be sent again; receives those that are.
    """
    if isinstance(request, ListBackends):
        return messages.ListMessage(task=task)
    if isinstance(request, WarmUp):
        return messages.WarmUpMessage(task=task, options=request.options)
    volumes: dict[Modality, messages.VolumeMessage] = {}
    for modality, volume in request.volumes.items():
        volumes[modality] = yield from _pack_volume(volume, folder, held, known)
    mask = request.brain_mask
    brain_mask = (yield from _pack_volume(mask, folder, held, known)) if mask else None
    base = (yield from _pack_kept(request.base, folder, held)) if request.base else None
    return messages.SegmentMessage(
        task=task,
        volumes=volumes,
        options=request.options,
        preprocessing=request.preprocessing,
        brain_mask=brain_mask,
        refinement=request.refinement,
        iterations=request.iterations,
        verify=request.verify,
        roi=_flat(request.roi.affine) if request.roi else None,
        base=base,
    )


def unpack(
    message: messages.SegmentMessage, folder: Path, there: Mapping[str, Volume]
) -> tuple[Segment, dict[str, Volume]]:
    """Return the request, its arrays over shared memory that has no name any more.

    :param there: what is still here of the request before, by the names of its arrays.
    :returns: also what of this request may stay here for the next one.
    """
    stays: dict[str, Volume] = {}

    def volume(sent: messages.VolumeMessage) -> Volume:
        name = sent.array.name
        if name not in stays:
            stays[name] = there[name] if name in there else _unpack_volume(sent, folder)
        return stays[name]

    volumes = {modality: volume(sent) for modality, sent in message.volumes.items()}
    request = Segment(
        volumes=volumes,
        options=message.options,
        preprocessing=message.preprocessing,
        brain_mask=volume(message.brain_mask) if message.brain_mask else None,
        refinement=message.refinement,
        iterations=message.iterations,
        verify=message.verify,
        roi=Roi(_matrix(message.roi)) if message.roi else None,
        base=_unpack_kept(message.base, folder) if message.base else None,
    )
    return request, stays


def pack_segmented(
    result: events.Segmented, folder: Path, held: list[Block]
) -> Steps[messages.SegmentedMessage]:
    """Put the arrays of a result into shared memory and return its message."""
    return messages.SegmentedMessage(
        task=result.task,
        labels=(yield from _put(folder, result.segmentation.labels, held)),
        kept=(yield from _pack_kept(result.kept, folder, held)),
        manifest=result.manifest,
        warnings=result.warnings,
    )


def unpack_segmented(message: messages.SegmentedMessage, folder: Path) -> events.Segmented:
    """Return the result, its arrays over shared memory that has no name any more."""
    kept = _unpack_kept(message.kept, folder)
    labels = _take(folder, message.labels)
    segmentation = Segmentation(labels, kept.grid, kept.outputs.scheme)
    return events.Segmented(message.task, segmentation, kept, message.manifest, message.warnings)


def run_through(steps: Steps[MessageT]) -> MessageT:
    """Do all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def _put(
    folder: Path, array: NDArray[np.generic], held: list[Block]
) -> Steps[messages.ArrayMessage]:
    block = yield from put(folder, array)
    held.append(block)
    return messages.ArrayMessage.model_validate(
        {"name": block.name, "dtype": block.dtype, "shape": block.shape}
    )


def _take(folder: Path, message: messages.ArrayMessage) -> NDArray:
    return take(folder, message.name, message.shape, message.dtype)


def _pack_volume(
    volume: Volume, folder: Path, held: list[Block], known: Known
) -> Steps[messages.VolumeMessage]:
    if volume not in known:
        known[volume] = messages.VolumeMessage(
            array=(yield from _put(folder, volume.array, held)),
            affine=_flat(volume.affine),
            name=volume.name,
        )
    return known[volume]


def _unpack_volume(message: messages.VolumeMessage, folder: Path) -> Volume:
    array = _take(folder, message.array)
    array.setflags(write=False)  # It may serve several requests.
    return Volume(array, _matrix(message.affine), message.name)


def _pack_kept(
    kept: KeptProbabilities, folder: Path, held: list[Block]
) -> Steps[messages.KeptMessage]:
    k, j, i = ((s.start, s.stop) for s in kept.box)
    return messages.KeptMessage(
        values=(yield from _put(folder, kept.values, held)),
        box=(k, j, i),
        shape=kept.grid.shape,
        affine=_flat(kept.grid.affine),
        outputs=kept.outputs,
    )


def _unpack_kept(message: messages.KeptMessage, folder: Path) -> KeptProbabilities:
    k, j, i = (slice(*bounds) for bounds in message.box)
    grid = Grid(message.shape, _matrix(message.affine))
    return KeptProbabilities(_take(folder, message.values), (k, j, i), grid, message.outputs)


def _flat(affine: NDArray[np.float64]) -> messages.Affine:
    return tuple(affine.ravel().tolist())


def _matrix(flat: messages.Affine) -> NDArray[np.float64]:
    return np.array(flat).reshape(4, 4)
