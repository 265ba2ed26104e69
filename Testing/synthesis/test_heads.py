"""Synthetic heads: layers in anatomical order around an untouched brain. At 4 mm, to be quick."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")
pytest.importorskip("scipy")

from BrainSegAccelLib.synthesis.anatomy import Anatomy, draw_anatomy  # noqa: E402
from BrainSegAccelLib.synthesis.atlas import load_atlas  # noqa: E402
from BrainSegAccelLib.synthesis.geometry import HeadPose, deformed_positions  # noqa: E402
from BrainSegAccelLib.synthesis.head_contrast import add_head  # noqa: E402
from BrainSegAccelLib.synthesis.head_shape import (  # noqa: E402
    HeadAtlas,
    HeadTissue,
    draw_head,
    head_grid,
)
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402

CPU = torch.device("cpu")
VOXEL = 4.0


@dataclass(frozen=True)
class Drawn:
    anatomy: Anatomy
    head: torch.Tensor
    ideal: list[torch.Tensor]
    images: list[torch.Tensor]


@pytest.fixture(scope="module")
def head_atlas() -> HeadAtlas:
    return HeadAtlas.of(load_atlas())


def draw(seed: int, head_atlas: HeadAtlas) -> Drawn:
    rng, atlas = Rng(seed, CPU), load_atlas()
    pose = HeadPose.draw(rng, atlas)
    grid = head_grid(rng, pose, VOXEL)
    source = deformed_positions(rng, atlas, pose, grid, [])
    anatomy = draw_anatomy(rng, atlas, grid, source)
    head = draw_head(rng, head_atlas, grid, source)
    ideal = [anatomy.white + level * anatomy.csf for level in (0.2, 0.3, 1.4, 0.1)]
    return Drawn(anatomy, head, ideal, add_head(rng, grid, anatomy, head, ideal))


@pytest.fixture(scope="module")
def heads(head_atlas: HeadAtlas) -> list[Drawn]:
    return [draw(seed, head_atlas) for seed in range(6)]


def share(drawn: Drawn, tissue: HeadTissue) -> float:
    return float((drawn.head == tissue)[~drawn.anatomy.mask].float().mean())


def test_same_seed_same_head(head_atlas: HeadAtlas, heads: list[Drawn]) -> None:
    again = draw(2, head_atlas)
    assert torch.equal(again.head, heads[2].head)
    assert all(torch.equal(a, b) for a, b in zip(again.images, heads[2].images, strict=True))
    assert again.head.shape != heads[3].head.shape or not torch.equal(again.head, heads[3].head)


def test_brain_is_untouched_and_air_is_dark(heads: list[Drawn]) -> None:
    for drawn in heads:
        brain, air = drawn.anatomy.mask, drawn.head == HeadTissue.AIR
        for image, ideal in zip(drawn.images, drawn.ideal, strict=True):
            assert torch.equal(image[brain], ideal[brain])
            assert not image[air & ~brain].any()
            assert torch.isfinite(image).all()
            assert image[~brain].min() >= 0


def test_every_tissue_is_drawn(heads: list[Drawn]) -> None:
    for tissue in HeadTissue:
        assert max(share(drawn, tissue) for drawn in heads) > 0, tissue.name


def test_upwards_from_the_brain_come_bone_scalp_and_air(heads: list[Drawn]) -> None:
    """From the brain's middle to the vertex, where the field of view holds all of it."""
    scalp = {HeadTissue.SKIN, HeadTissue.FAT, HeadTissue.MUSCLE}
    with_scalp = 0
    for drawn in heads:
        z, y, x = drawn.anatomy.mask.nonzero().float().mean(0).round().long().tolist()
        ray = drawn.head[z:, y, x][~drawn.anatomy.mask[z:, y, x]].tolist()
        skull = [i for i, t in enumerate(ray) if t in (HeadTissue.BONE, HeadTissue.MARROW)]
        beyond = ray[max(skull) + 1 :]
        assert set(beyond) <= scalp | {HeadTissue.AIR}
        assert HeadTissue.AIR not in beyond[: len(beyond) - beyond.count(HeadTissue.AIR)]
        with_scalp += bool(scalp & set(beyond))
    assert with_scalp >= 4


def test_csf_around_the_brain_looks_like_that_within(heads: list[Drawn]) -> None:
    for drawn in heads:
        outside = (drawn.head == HeadTissue.CSF) & ~drawn.anatomy.mask
        for image, level in zip(drawn.images, (0.2, 0.3, 1.4, 0.1), strict=True):
            assert float(image[outside].mean()) == pytest.approx(level, rel=0.35, abs=0.15)
