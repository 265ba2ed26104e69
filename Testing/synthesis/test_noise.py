"""Random fields and blurring."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from BrainSegAccelLib.synthesis.noise import blur, smooth_noise  # noqa: E402
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("scale", [1.0, 4.0, 7.3])
def test_noise_has_zero_mean_and_unit_variance(scale: float) -> None:
    field = smooth_noise(Rng(3, CPU), (60, 64, 68), 1.0, scale, channels=4)
    assert field.shape == (4, 60, 64, 68)
    # Few independent features fit into the field when they are large: allow four standard errors.
    features = field.numel() / scale**3
    assert abs(float(field.mean())) < 4 / features**0.5
    assert float(field.std()) == pytest.approx(1, abs=0.08)


def test_scale_is_in_millimetres() -> None:
    """The same field on a finer grid changes less from voxel to voxel."""

    def roughness(voxel: float) -> float:
        field = smooth_noise(Rng(0, CPU), (40, 40, 40), voxel, 10.0)
        return float((field[..., 1:] - field[..., :-1]).square().mean())

    assert roughness(1.0) == pytest.approx(roughness(2.0) / 4, rel=0.4)


def test_same_seed_same_field() -> None:
    first, second, other = (
        smooth_noise(Rng(seed, CPU), (8, 9, 10), 1.0, 3.0) for seed in (5, 5, 6)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_blur_is_a_gaussian_filter() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    field = torch.rand(1, 14, 17, 20, generator=torch.Generator().manual_seed(0))
    deviations = (2.0, 0.8, 1.2)
    # Both cut the kernel at whole voxels: 5, 2 and 3.
    expected = ndimage.gaussian_filter(
        field[0].double().numpy(), deviations, mode="nearest", radius=(5, 2, 3)
    )
    torch.testing.assert_close(
        blur(field, deviations)[0].double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-5
    )


def test_tiny_blur_leaves_the_field_alone() -> None:
    field = torch.rand(2, 4, 5, 6)
    assert torch.equal(blur(field, (0.1, 0.0, 0.19)), field)
