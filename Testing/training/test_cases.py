"""Synthetic cases: reproducible, consistent, and in the stated axes. At 4 mm, to be quick."""

from __future__ import annotations

from itertools import chain

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")

from BrainSegAccelLib.training.atlas import CHANNELS, load_atlas  # noqa: E402
from BrainSegAccelLib.training.cases import CaseGenerator, SyntheticCase  # noqa: E402
from BrainSegAccelLib.training.chance import Chance  # noqa: E402
from BrainSegAccelLib.training.geometry import Grid, HeadPose, sample  # noqa: E402
from BrainSegAccelLib.training.lesions import CaseKind  # noqa: E402

CPU = torch.device("cpu")
T1, T1C, T2, FLAIR = range(4)


@pytest.fixture(scope="module")
def generator() -> CaseGenerator:
    return CaseGenerator(voxel=4.0)


@pytest.fixture(scope="module")
def cases(generator: CaseGenerator) -> dict[CaseKind, list[SyntheticCase]]:
    return {kind: [generator.generate(seed, kind) for seed in range(4)] for kind in CaseKind}


def test_same_seed_same_case(generator: CaseGenerator) -> None:
    first, again, other = generator.generate(7), generator.generate(7), generator.generate(8)
    assert first.kind == again.kind
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.regions, again.regions)
    assert first.images.shape != other.images.shape or not torch.equal(first.images, other.images)


def test_images_are_finite_non_negative_and_zero_outside_the_brain(
    cases: dict[CaseKind, list[SyntheticCase]],
) -> None:
    for case in chain(*cases.values()):
        assert case.images.dtype == torch.float32
        assert torch.isfinite(case.images).all()
        assert (case.images >= 0).all()
        assert not case.images[:, ~case.mask].any()
        assert case.images[:, case.mask].std(1).min() > 0.01


def test_regions_are_nested_fractions_in_the_brain(
    cases: dict[CaseKind, list[SyntheticCase]],
) -> None:
    for case in chain(*cases.values()):
        enhancing, core, whole = case.regions
        assert (enhancing <= core + 1e-6).all()
        assert (core <= whole + 1e-6).all()
        assert case.regions.min() >= -1e-6
        assert case.regions.max() <= 1 + 1e-5
        assert not case.regions[:, ~case.mask].any()


def test_kinds_show_what_they_are_called(cases: dict[CaseKind, list[SyntheticCase]]) -> None:
    def volumes(kind: CaseKind) -> torch.Tensor:
        counts = [(case.regions > 0.5).sum((1, 2, 3)) for case in cases[kind]]
        return torch.stack(counts).sum(0)

    assert not volumes(CaseKind.NONE).any()
    enhancing, core, whole = volumes(CaseKind.NON_ENHANCING)
    assert enhancing == 0
    assert 0 < core <= whole
    enhancing, core, whole = volumes(CaseKind.RING)
    assert 0 < enhancing < core < whole
    enhancing, core, _ = volumes(CaseKind.SOLID)
    assert enhancing > 0.3 * core


def test_label_map_follows_the_regions(cases: dict[CaseKind, list[SyntheticCase]]) -> None:
    case = cases[CaseKind.RING][0]
    labels, regions = case.label_map(), case.regions > 0.5
    assert torch.equal(labels == 3, regions[0])
    assert torch.equal((labels == 1) | (labels == 3), regions[1])
    assert torch.equal(labels > 0, regions[2])


def test_sequences_show_tumour_as_physics_has_it(
    cases: dict[CaseKind, list[SyntheticCase]],
) -> None:
    """Enhancing tumour gains on T1c against T1; oedema is brighter than the rest on FLAIR."""
    for case in cases[CaseKind.SOLID] + cases[CaseKind.RING]:
        enhancing, core, whole = case.regions > 0.9
        normal = case.mask & (case.regions[2] < 0.05)
        level = case.images[:, normal].mean(1)
        if enhancing.any():
            relative = case.images[:, enhancing].mean(1) / level
            assert relative[T1C] > relative[T1]
        oedema = whole & ~core
        if oedema.sum() > 5:
            assert case.images[FLAIR][oedema].mean() > level[FLAIR]


def test_head_sizes_are_those_of_adults(generator: CaseGenerator) -> None:
    for seed in range(12):
        inside = generator.generate(seed, CaseKind.NONE).mask.nonzero()
        z, y, x = ((inside.amax(0) - inside.amin(0) + 1) * 4.0).tolist()
        assert 115 <= z <= 170
        assert 145 <= y <= 200
        assert 110 <= x <= 165


def test_axes_are_up_backwards_and_left() -> None:
    """The hindbrain lies low and behind; the grid's x runs as the atlas's, to the left."""
    atlas = load_atlas()
    hindbrain = atlas.maps[CHANNELS.index("hindbrain")]
    z, y, _ = ((hindbrain > 0.5).nonzero().float().mean(0)).tolist()
    depth, height, _ = hindbrain.shape
    assert z < 0.4 * depth
    assert y > 0.5 * height
    position = torch.tensor([-30.0, 20.0, 10.0]).reshape(3, 1, 1, 1)
    ramp = torch.arange(atlas.maps.shape[3]).float().expand(1, *atlas.maps.shape[1:])
    read = sample(ramp.contiguous(), atlas, position)
    assert float(read) == pytest.approx(-30.0 - float(atlas.origin[0]), abs=1e-2)


def test_block_has_the_shape_asked_for() -> None:
    case = CaseGenerator(voxel=2.0, shape=(24, 32, 28)).generate(3)
    assert case.images.shape == (4, 24, 32, 28)
    assert case.mask.any()


def test_grid_places_voxels_symmetrically_about_its_centre() -> None:
    grid = Grid((3, 5, 4), 2.0, (1.0, -2.0, 3.0))
    positions = grid.positions(CPU)
    torch.testing.assert_close(positions.mean((1, 2, 3)), torch.tensor([1.0, -2.0, 3.0]))
    assert float(positions[0, 0, 0, 1] - positions[0, 0, 0, 0]) == 2.0
    box = grid.slices_around(torch.tensor([1.0, -2.0, 3.0]), 2.0)
    assert [part.stop - part.start for part in box] == [3, 3, 4]


def test_pose_brings_the_head_onto_the_atlas() -> None:
    atlas = load_atlas()
    pose = HeadPose.draw(Chance(2, CPU), atlas)
    middle = pose.to_atlas(torch.zeros(3, 1, 1, 1)).flatten()
    torch.testing.assert_close(middle, atlas.centre)
