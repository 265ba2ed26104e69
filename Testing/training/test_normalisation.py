"""Normalisation against its formula in NumPy, and against the pipeline's own step."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from BrainSegAccelLib.study.modality import Modality  # noqa: E402
from BrainSegAccelLib.training.normalisation import normalise, remove_shading  # noqa: E402


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
    from BrainSegAccelLib.preprocessing.normalisers.z_score import z_score

    image, mask = example()
    actual = normalise(torch.from_numpy(image), torch.from_numpy(mask))
    expected = z_score(image, mask)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("modality", Modality)
def test_pipeline_levels_alike(modality: Modality) -> None:
    from BrainSegAccelLib.preprocessing import shading

    place = np.linspace(0.5, 1.5, 40, dtype=np.float32)
    image = np.random.default_rng(1).uniform(80, 120, (30, 36, 40)).astype(np.float32) * place
    mask = np.zeros(image.shape, dtype=bool)
    mask[3:27, 4:30, 5:36] = True
    expected = shading.remove_shading(image, mask, (2.0, 2.0, 2.0), modality)
    if modality is not Modality.T2:
        assert expected[mask].std() < 0.5 * image[mask].std()
    actual = remove_shading(torch.from_numpy(image), torch.from_numpy(mask), 2.0, modality)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-5)
    nothing = torch.zeros(image.shape, dtype=torch.bool)
    assert remove_shading(torch.from_numpy(image), nothing, 2.0, modality).equal(
        torch.from_numpy(image)
    )


def test_empty_mask_gives_zeros() -> None:
    image = torch.rand(3, 4, 5)
    assert not normalise(image, torch.zeros(3, 4, 5, dtype=torch.bool)).any()


def test_constant_image_stays_finite() -> None:
    mask = torch.ones(3, 4, 5, dtype=torch.bool)
    assert not normalise(torch.full((3, 4, 5), 7.0), mask).any()
