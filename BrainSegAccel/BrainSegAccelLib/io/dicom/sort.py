"""A folder as the scanner sent it: sorted, one volume for each of the four sequences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...study.modality import Modality
from .grouping import Group, groups_of
from .recognise import contradiction, is_reformatted, modality_of_series
from .scan import scan
from .stack import Stack, stack_of

_WHOLE_HEAD_MM = 100.0
"""What a series has to cover along every axis to show a whole brain, roughly."""

RULE = "whole head before part, original before reformatted, then finest voxels, then the latest"
"""How one of several candidates is chosen."""


def sort_study(folder: Path, given: Collection[Modality] = ()) -> dict[Modality, Stack]:
    """Find the four sequences among all series below a folder; some may be missing.

    Localisers, maps, projections, diffusion, perfusion and every other sequence are left out.
    Where several series could be one sequence, `RULE` chooses, and the stack's remarks say so.

    :param given: modalities that need not be found.
    :returns: in channel order.
    :raises InputError: as `scan`; no series is one of the four sequences; every candidate for a
        sequence is unusable, e.g. because slices are missing.
    """
    slices, remarks = scan(folder, below=True)
    candidates: dict[Modality, list[Group]] = {}
    for group in groups_of(slices):
        modality = modality_of_series(group)
        if modality is not None and modality not in given:
            candidates.setdefault(modality, []).append(group)
    if not candidates and not given:
        raise InputError(
            "no DICOM series is recognised as T1, T1c, T2 or FLAIR",
            where=str(folder),
            remedy="name one file of each series with --t1, --t1c, --t2 and --flair",
        )
    return {
        modality: _best(modality, candidates[modality]).with_remarks(*remarks)
        for modality in Modality
        if modality in candidates
    }


def series_in(folder: Path) -> Stack:
    """Return the only volume of a folder, not of its subfolders.

    :raises InputError: as `scan` and `stack_of`; the files make several volumes.
    """
    slices, remarks = scan(folder, below=False)
    groups = groups_of(slices)
    if len(groups) > 1:
        raise InputError(
            f"DICOM files of {_told_apart(groups)}",
            where=str(folder),
            remedy="keep the files of one volume, or name one of them instead of the folder",
        )
    return stack_of(groups[0]).with_remarks(*remarks)


def series_of(file: Path) -> Stack:
    """Return the volume that a file is a slice of, with the other slices in the file's folder.

    :raises InputError: as `scan` and `stack_of`; the file holds no MR image, or several volumes.
    """
    slices, remarks = scan(file.parent, below=False)
    groups = [group for group in groups_of(slices) if any(s.file == file for s in group.slices)]
    if len(groups) != 1:
        raise InputError(
            f"a DICOM file of {_told_apart(groups) if groups else 'no MR image'}",
            where=str(file),
            remedy="give a file, or the folder, of one MR series",
        )
    return stack_of(groups[0]).with_remarks(*remarks)


def _best(modality: Modality, groups: Sequence[Group]) -> Stack:
    """Return the first usable candidate by `RULE`.

    :raises InputError: none is usable; says why the first is not.
    """
    remarks: list[str] = []
    problems: list[InputError] = []
    for group in sorted(groups, key=_rank):
        try:
            stack = stack_of(group)
        except InputError as error:
            problems.append(error)
            remarks.append(f"{_name(group)} could be {modality.label} but is unusable")
            continue
        if len(groups) > 1:
            others = ", ".join(_name(other) for other in groups if other is not group)
            remarks.append(f"{_name(group)} was taken, not {others} ({RULE})")
        if said := contradiction(group, modality):
            remarks.append(f"{_name(group)} is {said}")
        return stack.with_remarks(*remarks)
    raise problems[0]


def _rank(group: Group) -> tuple[bool, bool, float, int, int]:
    """Return a key that sorts the best candidate first."""
    return (
        min(group.extent()) < _WHOLE_HEAD_MM,
        is_reformatted(group.acquisition),
        round(group.coarsest_mm(), 1),
        -len(group.slices),
        -(group.number or 0),
    )


def _name(group: Group) -> str:
    number = "without number" if group.number is None else f"{group.number}"
    finest = f", {group.coarsest_mm():.1f} mm" if group.coarsest_mm() < np.inf else ""
    return f"series {number} ({len(group.slices)} slices{finest})"


def _told_apart(groups: Sequence[Group]) -> str:
    """Say how many volumes there are and what tells them apart; nobody is named."""
    series = {one.series for group in groups for one in group.slices}
    counts = ", ".join(map(str, sorted(len(group.slices) for group in groups)))
    if len(series) > 1:
        return f"{len(series)} series (volumes of {counts} slices)"
    firsts = [group.slices[0] for group in groups]
    kinds: dict[str, set[Any]] = {
        "size": {one.shape for one in firsts},
        "echo time": {one.acquisition.echo_time for one in firsts},
        "image type": {one.acquisition.image_type for one in firsts},
        "time point": {one.time_point for one in firsts},
        "frame of reference": {one.space for one in firsts},
    }
    different = [name for name, values in kinds.items() if len(values) > 1]
    return (
        f"{len(groups)} volumes in one series (of {counts} slices), of different "
        f"{' and '.join(different) or 'orientation or voxel size'}"
    )
