"""Whether a modality is moved onto the reference, by how much, and on what evidence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ...errors import RunError
from ...geometry.volume import Volume
from ...study.modality import Modality
from ...study.study import Study
from ..options import RegistrationMode
from .evidence import Alignment, Decision, Fit
from .protocol import Registration
from .pyramid import Pyramid
from .rigid import Matrix, moved_mm, turned_degrees
from .similarity import AROUND_MM, examine
from .start import find_start

SAME_GRID_MM, OTHER_GRID_MM = 2.5, 1.0
"""An estimated offset below which volumes agree. Volumes on one grid were likely brought there."""
DISTINCT = 0.13
"""Least `Fit.distinctness` of a position that is believed."""
LONGEST_MOTION_MM, LARGEST_TURN_DEG = 100.0, 45.0
"""Beyond them, nobody moves between two sequences of one study."""
LEAST_VOXELS = 1000
"""Of `similarity.AROUND_MM`: less of a head than a block of 80 mm has no similarity to go by."""
LEAST_OVERLAP = 0.5
"""Share of the reference's head that must lie within the moved volume."""


def align(
    study: Study,
    registration: Registration,
    mode: RegistrationMode,
    progress: Callable[[float], None] = lambda _share: None,
) -> dict[Modality, Alignment]:
    """Bring every modality but the reference into the reference's place.

    What was tried and is worse than the headers is not used, with a warning.

    :param progress: told the share of modalities that are done, on the caller's thread.
    :returns: in the network's order, without the reference.
    """
    others = [modality for modality in study if modality is not study.reference]
    reference = study[study.reference]
    if mode is RegistrationMode.OFF or not others:
        return {m: _by_header(Decision.OFF, study[m], reference) for m in others}
    fixed = Pyramid(reference)
    if fixed.head(AROUND_MM).GetNumberOfPixels() < LEAST_VOXELS:
        return {m: _by_header(Decision.TOO_SMALL, study[m], reference) for m in others}
    one = partial(_align, fixed, registration, mode)
    found: dict[Modality, Alignment] = {}
    for modality, alignment in zip(
        others, _each(one, [study[m] for m in others], registration.workers), strict=True
    ):
        found[modality] = alignment
        progress(len(found) / len(others))
        if alignment.decision is Decision.REJECTED:
            warnings.warn(
                f"{modality.label}: not registered onto {study.reference.label}, "
                f"{alignment.objection}; it stays where its header puts it",
                stacklevel=2,
            )
    return found


def _by_header(decision: Decision, volume: Volume, reference: Volume) -> Alignment:
    return Alignment.of(decision, same_grid=volume.grid.same_as(reference.grid))


def _each(
    one: Callable[[Volume], Alignment], volumes: list[Volume], workers: int
) -> Iterator[Alignment]:
    if workers == 1:
        yield from map(one, volumes)
        return
    with ThreadPoolExecutor(min(workers, len(volumes))) as pool:
        yield from pool.map(one, volumes)


def _align(
    fixed: Pyramid,
    registration: Registration,
    mode: RegistrationMode,
    volume: Volume,
) -> Alignment:
    moving = Pyramid(volume)
    same_grid = volume.grid.same_as(fixed.volume.grid)
    before = examine(fixed, moving, np.eye(4), registration.settings)
    agree = _agree(before, same_grid)
    if mode is RegistrationMode.AUTO and agree:
        return Alignment.of(Decision.AGREES, same_grid=same_grid, before=before)
    try:
        found = _register(fixed, moving, registration, before)
    except RunError as error:
        return Alignment.of(
            Decision.REJECTED, same_grid=same_grid, before=before, objection=str(error)
        )
    if found.objection and agree:
        return found.model_copy(update={"decision": Decision.AGREES, "objection": ""})
    return found


def _register(
    fixed: Pyramid, moving: Pyramid, registration: Registration, before: Fit
) -> Alignment:
    """Register from the best of many starts, and judge the result against that of the headers."""
    start = find_start(fixed, moving, registration.settings)
    to_moving = registration.refine(fixed, moving, start)
    after = examine(fixed, moving, to_moving, registration.settings)
    moved, turned = moved_mm(to_moving, fixed.centre), turned_degrees(to_moving)
    overlap = _overlap(fixed, moving.volume, to_moving)
    objection = _objection(before, after, moved, turned, overlap)
    return Alignment.of(
        Decision.REJECTED if objection else Decision.REGISTERED,
        np.eye(4) if objection else np.linalg.inv(to_moving).astype(np.float64),
        same_grid=moving.volume.grid.same_as(fixed.volume.grid),
        before=before,
        after=after,
        moved_mm=moved,
        turned_deg=turned,
        overlap=overlap,
        objection=objection,
    )


def _agree(fit: Fit, same_grid: bool) -> bool:
    allowed = SAME_GRID_MM if same_grid else OTHER_GRID_MM
    return fit.offset_mm is not None and fit.offset_mm <= allowed and fit.distinctness >= DISTINCT


def _objection(before: Fit, after: Fit, moved: float, turned: float, overlap: float) -> str:
    """Return why a registration is worse than none, empty if it is not."""
    if after.similarity <= before.similarity:
        return (
            f"mutual information would fall from {before.similarity:.3f} to {after.similarity:.3f}"
        )
    if moved > LONGEST_MOTION_MM or turned > LARGEST_TURN_DEG:
        return f"a motion of {moved:.0f} mm and {turned:.0f} degrees is implausible"
    if overlap < LEAST_OVERLAP:
        return f"only {overlap:.0%} of the head would lie within it"
    if after.distinctness < DISTINCT:
        return "its best position is hardly better than others around it"
    return ""


def _overlap(fixed: Pyramid, volume: Volume, to_moving: Matrix) -> float:
    """Return the share of the fixed head that lies within a moving volume."""
    there = fixed.points @ to_moving[:3, :3].T + to_moving[:3, 3]
    ijk = volume.grid.to_voxel(there)
    size = np.array(volume.grid.shape[::-1])
    return float(((ijk >= -0.5) & (ijk <= size - 0.5)).all(axis=1).mean())
