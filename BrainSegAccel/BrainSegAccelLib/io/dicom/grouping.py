"""Slices that may make one volume: one series, echo, kind of image, orientation and size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .header import Acquisition, Plane, Slice

_AGREE = 1e-3
"""Largest difference of a direction cosine, or of a voxel size in mm, within one volume."""

_MOST_TIME_POINTS = 4
"""A series with more volumes than this at one place watches something over time."""


@dataclass(frozen=True, eq=False)
class Group:
    """Slices that agree in everything but position.

    :param slices: at least one, in the order of their files.
    :param parts: how many groups of the same series lie at one place, e.g. echoes, time points.
    """

    slices: tuple[Slice, ...]
    parts: int = 1

    @property
    def acquisition(self) -> Acquisition:
        """How the slices were acquired."""
        return self.slices[0].acquisition

    @property
    def number(self) -> int | None:
        """The number of the series in its study, as consoles show it."""
        return self.slices[0].series_number

    @property
    def folder(self) -> Path:
        """Where the first file lies."""
        return self.slices[0].file.parent

    @property
    def where(self) -> str:
        """Name for messages."""
        series = "a series" if self.number is None else f"series {self.number}"
        return f"{self.folder}, {series}"

    @property
    def watches_time(self) -> bool:
        """Whether it is one of many volumes of a dynamic or multi-echo series."""
        return self.parts > _MOST_TIME_POINTS

    def extent(self) -> tuple[float, float, float]:
        """Return roughly what the slices cover along i, j and their normal, in mm."""
        planes = [one.plane for one in self.slices if one.plane]
        if not planes:
            return 0.0, 0.0, 0.0
        rows, columns = self.slices[0].shape
        across = [float(plane.position @ normal(planes[0])) for plane in planes]
        i, j = planes[0].spacing
        return columns * i, rows * j, max(across) - min(across)

    def coarsest_mm(self) -> float:
        """Return roughly the longest side of a voxel in mm."""
        _, _, depth = self.extent()
        plane = self.slices[0].plane
        return max(*plane.spacing, depth / max(1, len(self.slices) - 1)) if plane else np.inf


def normal(plane: Plane) -> np.ndarray:
    """Return the unit vector (3,) in LPS along which slices follow one another."""
    across = np.cross(*plane.axes)
    return across / max(float(np.linalg.norm(across)), 1e-9)


def groups_of(slices: Sequence[Slice]) -> list[Group]:
    """Cut slices into groups that may each be one volume, in the order of the series' numbers."""
    found = []
    for series in _split(slices, lambda one: (one.series, one.space)):
        if any(one.plane is None for one in series):
            found.append(Group(tuple(series)))  # cannot be told apart; refused as a volume
            continue
        parts = [
            part
            for kind in _split(series, _kind)
            for parallel in _parallel(kind)
            for part in _by_time(parallel)
        ]
        found += [Group(tuple(part), _overlaid(part, parts)) for part in parts]
    return sorted(found, key=lambda group: (group.number is None, group.number or 0))


def _kind(one: Slice) -> object:
    acquisition = one.acquisition
    return one.shape, one.grey, acquisition.image_type, acquisition.echo_time


def _split(slices: Sequence[Slice], key: Callable[[Slice], object]) -> list[list[Slice]]:
    parts: dict[object, list[Slice]] = {}
    for one in slices:
        parts.setdefault(key(one), []).append(one)
    return list(parts.values())


def _parallel(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Cut where orientation or voxel size differ by more than rounding."""
    parts: list[list[Slice]] = []
    for one in slices:
        for part in parts:
            if _agree(one.plane, part[0].plane):
                part.append(one)
                break
        else:
            parts.append([one])
    return parts


def _agree(one: Plane | None, other: Plane | None) -> bool:
    return (
        one is not None
        and other is not None
        and np.allclose(one.axes, other.axes, rtol=0, atol=_AGREE)
        and np.allclose(one.spacing, other.spacing, rtol=0, atol=_AGREE)
    )


def _by_time(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Cut a series that shows every place several times, where the header tells the times."""
    places = _places(slices)
    if len(places) == len(slices):
        return [list(slices)]
    for told in (_temporal_position, _acquisition_number):
        parts = _split(slices, told)
        if len(parts) > 1 and all(len(_places(part)) == len(part) for part in parts):
            return parts
    return [list(slices)]


def _temporal_position(one: Slice) -> str:
    return one.time_point[0]


def _acquisition_number(one: Slice) -> str:
    return one.time_point[1]


def _places(slices: Sequence[Slice]) -> set[tuple[float, ...]]:
    return {tuple(np.round(one.plane.position, 2)) for one in slices if one.plane}


def _overlaid(part: Sequence[Slice], parts: Sequence[Sequence[Slice]]) -> int:
    """Return how many parts of a series show this part's first place."""
    place = _places(part[:1])
    return sum(bool(place & _places(other)) for other in parts)
