"""Normalisation against its formula in NumPy, and against the pipeline's own step."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from BrainSegAccelLib.training.normalisation import normalise  # noqa: E402


def example() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    image = random.gamma(2.0, 100.0, (11, 13, 12)).astype(np.float32)
    return image, random.random(image.shape) < 0.4


def test_formula() -> None:
    image, mask = example()
    values = image[mask].astype(np.float64)
    values = np.clip(values, *np.percentile(values, (0.5, 99.5)))
    expected = np.zeros(image.shape)
    expected[mask] = (values - values.mean()) / (values.std() + 1e-6)
    actual = normalise(torch.from_numpy(image), torch.from_numpy(mask))
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_pipeline_normalises_alike() -> None:
    from BrainSegAccelLib.preprocessing import normalisation

    image, mask = example()
    actual = normalise(torch.from_numpy(image), torch.from_numpy(mask))
    expected = normalisation.normalise(image, mask)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_empty_mask_gives_zeros() -> None:
    image = torch.rand(3, 4, 5)
    assert not normalise(image, torch.zeros(3, 4, 5, dtype=torch.bool)).any()


def test_constant_image_stays_finite() -> None:
    mask = torch.ones(3, 4, 5, dtype=torch.bool)
    assert not normalise(torch.full((3, 4, 5), 7.0), mask).any()
