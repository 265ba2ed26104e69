"""What may be segmented, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

T1, T1C, T2, FLAIR = Modality.T1, Modality.T1C, Modality.T2, Modality.FLAIR
SHAPE = (24, 25, 26)


def volume(affine: NDArray | None = None, name: str = "a.nii.gz") -> Volume:
    values = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    return Volume(values, np.eye(4) if affine is None else affine, name)


def placed(
    spacing: tuple[float, float, float] = (1, 1, 1), origin: tuple[float, float, float] = (0, 0, 0)
) -> Volume:
    affine = np.diag([*spacing, 1.0]).astype(float)
    affine[:3, 3] = origin
    return volume(affine)


@pytest.mark.parametrize(
    "present", [set(c) for n in range(1, 5) for c in combinations(Modality, n)], ids=str
)
def test_every_subset_has_a_reference(present: set[Modality]) -> None:
    study = Study({m: volume() for m in present})
    assert list(study) == [m for m in Modality if m in present]
    first = next(m for m in (T1C, T1, FLAIR, T2) if m in present)
    assert study.reference is first
    assert study.reference_grid.same_as(study[first].grid)


def test_no_volume() -> None:
    with pytest.raises(InputError, match="no input volume; give at least one"):
        Study({})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted(value: float) -> None:
    bad = volume()
    bad.array[3, 4, 5:7] = value
    with pytest.raises(InputError, match=r"a\.nii\.gz: 2 voxels are NaN or infinite"):
        Study({T1: volume(), T2: bad})


@pytest.mark.parametrize("value", [0, -3.5])
def test_constant_image(value: float) -> None:
    with pytest.raises(InputError, match=f"every voxel is {value:g}"):
        Study({T1: Volume(np.full(SHAPE, value, np.float32), np.eye(4))})


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, 1, 0.01), (1, 26, 1), (1e9, 1, 1)])
def test_spacing_that_no_scanner_gives(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match=r"voxel spacing .* mm is not between"):
        Study({T1: placed(spacing)})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_header_that_is_no_number(value: float) -> None:
    for bad in (placed(origin=(value, 0, 0)), placed(spacing=(value, 1, 1))):
        with pytest.raises(InputError, match="position is not a number"):
            Study({T1: bad})


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1, 1, 0.5), (25, 25, 25), (25, 25, 50)])
def test_extent_that_holds_no_head(spacing: tuple[float, float, float]) -> None:
    affine = np.diag([*spacing, 1.0])
    shape = (45, 45, 45) if spacing[0] == 25 else SHAPE
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    with pytest.raises(InputError, match=r"cannot hold a brain|spacing"):
        Study({T1: Volume(values, affine)})


def test_axes_must_be_perpendicular() -> None:
    sheared, singular = np.eye(4), np.eye(4)
    sheared[0, 1] = 0.1
    singular[:3, 1] = singular[:3, 0]
    for affine in (sheared, singular):
        with pytest.raises(InputError, match="not perpendicular"):
            Study({T1: volume(affine)})
    rounded = np.eye(4)
    rounded[0, 1] = 1e-4
    assert Study({T1: volume(rounded)}).reference is T1


@pytest.mark.parametrize(
    ("origin", "overlaps"),
    [
        ((0, 0, 0), True),
        ((25, 0, 0), True),
        ((27, 0, 0), False),
        ((0, -26, 0), False),
        ((0, 0, 500), False),
    ],
)
def test_overlap(origin: tuple[float, float, float], overlaps: bool) -> None:
    volumes = {T1C: placed(), FLAIR: placed(origin=origin)}
    if overlaps:
        assert len(Study(volumes)) == 2
    else:
        with pytest.raises(InputError, match="FLAIR does not overlap T1c"):
            Study(volumes)


def test_boxes_that_are_apart_only_along_an_oblique_axis() -> None:
    """Their bounding boxes along L, P and S do overlap."""
    turn = np.eye(4)
    angle = np.pi / 4
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    away = turn.copy()
    away[:3, 3] = turn[:3, :3] @ (30, 0, 0)
    with pytest.raises(InputError, match="does not overlap"):
        Study({T1: volume(turn), T2: volume(away)})


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    centre=st.tuples(*[st.floats(-60, 60)] * 3),
    spacing=st.floats(0.9, 4),
)
def test_overlap_is_found_where_points_are_shared(
    seed: int, centre: tuple[float, float, float], spacing: float
) -> None:
    """A sampled point inside both boxes proves an overlap; spheres apart prove there is none."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = centre
    one, other = volume(), volume(affine)
    sizes = np.array(SHAPE[::-1])
    axes = [np.linspace(-0.49, n - 0.51, 20) for n in sizes]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    inside = other.grid.to_voxel(one.grid.to_patient(points))
    shared = ((inside > -0.5) & (inside < sizes - 0.5)).all(axis=1).any()
    between = np.linalg.norm(other.grid.corners().mean(0) - one.grid.corners().mean(0))
    apart = between > (1 + spacing) * np.linalg.norm(sizes) / 2
    if shared:
        assert len(Study({T1: one, T2: other})) == 2
    if apart:
        with pytest.raises(InputError, match="does not overlap"):
            Study({T1: one, T2: other})


def test_a_study_is_read_only() -> None:
    study = Study({T1: volume()})
    with pytest.raises(TypeError):
        study[T2] = volume()  # type: ignore[index]
