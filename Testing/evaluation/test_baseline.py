from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.evaluation.baseline import bright_on_flair, evaluate_baseline
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR


def brain(shape: tuple[int, int, int] = (40, 48, 44)) -> np.ndarray:
    """A noisy ball on zero background."""
    rng = np.random.default_rng(0)
    apart = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    inside = np.sqrt((apart**2).sum(-1)) < 18
    return np.where(inside, 100 + rng.normal(0, 3, shape), 0).astype(np.float32)


def test_the_larger_of_two_bright_bodies_is_found() -> None:
    flair = brain()
    large = (slice(12, 24), slice(16, 28), slice(14, 26))
    flair[large] += 80
    flair[28:31, 28:31, 28:31] += 80
    mask = bright_on_flair(flair)
    expected = np.zeros_like(mask)
    expected[large] = True
    overlap = 2 * np.count_nonzero(mask & expected) / (mask.sum() + expected.sum())
    assert overlap > 0.85
    assert not mask[28:31, 28:31, 28:31].any()


def test_nothing_bright_is_nothing_found() -> None:
    flat = np.where(brain() > 0, 100.0, 0.0).astype(np.float32)
    assert not bright_on_flair(flat).any()


def test_air_is_never_tumour() -> None:
    flair = brain()
    assert not bright_on_flair(-flair)[flair == 0].any()


def test_it_is_compared_on_the_grid_of_the_labels() -> None:
    """FLAIR of twice the resolution of the labels, shifted in its own array."""
    flair = brain()
    flair[12:24, 16:28, 14:26] += 80
    fine = Volume(flair, np.diag([0.5, 0.5, 0.5, 1.0]))
    labels = np.zeros((20, 24, 22), dtype=np.uint8)
    labels[6:12, 8:14, 7:13] = 2
    truth = Segmentation(labels, Volume(labels.astype(np.float32), np.eye(4)).grid, TUMOUR.scheme)
    found = evaluate_baseline(fine, truth)
    assert found.dice > 0.6
    assert found.reference_ml == pytest.approx(0.216)
    assert found.hd95_mm <= 2.0
