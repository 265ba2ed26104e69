"""The shipped brain network on synthetic heads that it was not trained on, in 2.5 mm voxels."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.inference.brain_finder import BrainFinder, open_finder
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.preprocessing.normalisers.unit_range import unit_range
from BrainSegAccelLib.study.modality import Modality
from hypothesis import given
from hypothesis import strategies as st

VOXEL = 2.5
SEED = 910_000_001


@pytest.fixture(scope="module")
def finder() -> BrainFinder:
    return open_finder(load_package("brain"))


@pytest.fixture(scope="module")
def head() -> tuple[dict[Modality, np.ndarray], np.ndarray]:
    """Images of one head, and its brain."""
    pytest.importorskip("torch")
    pytest.importorskip("nilearn")
    pytest.importorskip("scipy")
    from BrainSegAccelLib.synthesis.heads import HeadGenerator

    drawn = HeadGenerator(VOXEL).generate(SEED)
    return dict(zip(Modality, drawn.images.numpy(), strict=True)), drawn.mask.numpy()


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_brain_is_found_in_every_sequence(finder, head) -> None:
    images, brain = head
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    scores = {m: dice(finder.find(Volume(images[m] * 317.0 + 20.0, affine)), brain) for m in images}
    assert np.mean(list(scores.values())) >= 0.95, scores
    assert min(scores.values()) >= 0.94, scores


def test_storage_order_and_place_make_no_difference(finder, head) -> None:
    """Sagittal slices, stored from the right and from below, somewhere in the scanner."""
    images, brain = head
    turned = images[Modality.T1].transpose(2, 0, 1)[::-1, ::-1]
    depth, height, width = brain.shape
    affine = np.array(
        [
            [0, 0, -VOXEL, 300.0 + VOXEL * (width - 1)],
            [VOXEL, 0, 0, -40.0],
            [0, -VOXEL, 0, 77.0 + VOXEL * (depth - 1)],
            [0, 0, 0, 1.0],
        ]
    )
    assert turned.shape == (width, depth, height)
    found = finder.find(Volume(turned, affine))
    assert dice(found, brain.transpose(2, 0, 1)[::-1, ::-1]) >= 0.95


def test_thick_slices_are_no_obstacle(finder, head) -> None:
    images, brain = head
    count = brain.shape[0] // 2 * 2
    thick = images[Modality.T1C][:count].reshape(-1, 2, *brain.shape[1:]).mean(axis=1)
    affine = np.diag([VOXEL, VOXEL, 2 * VOXEL, 1.0])
    affine[2, 3] = VOXEL / 2
    found = finder.find(Volume(thick, affine))
    assert dice(np.repeat(found, 2, axis=0), brain[:count]) >= 0.93


@given(st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_the_scale_of_the_scanner_makes_no_difference(factor: float, offset: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, (6, 6, 6)).astype(np.float32)
    moved = (values * np.float32(factor) + np.float32(offset)).astype(np.float32)
    tolerance = 1e-5 + 1e-6 * abs(offset) / factor
    np.testing.assert_allclose(unit_range(moved), unit_range(values), atol=tolerance)
