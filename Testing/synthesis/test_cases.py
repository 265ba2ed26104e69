"""Synthetic cases: reproducible, consistent, and in the stated axes. At 4 mm, to be quick."""

from __future__ import annotations

from itertools import chain

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")

from BrainSegAccelLib.study.modality import Modality  # noqa: E402
from BrainSegAccelLib.synthesis.acquisition import cut_field_of_view, slice_matrix  # noqa: E402
from BrainSegAccelLib.synthesis.anatomy import draw_anatomy  # noqa: E402
from BrainSegAccelLib.synthesis.atlas import CHANNELS, load_atlas  # noqa: E402
from BrainSegAccelLib.synthesis.cases import (  # noqa: E402
    CaseGenerator,
    Stripping,
    SyntheticCase,
    outlined_regions,
)
from BrainSegAccelLib.synthesis.geometry import (  # noqa: E402
    Grid,
    HeadPose,
    deformed_positions,
    sample,
)
from BrainSegAccelLib.synthesis.lesions import (  # noqa: E402
    CaseKind,
    Lesion,
    TumourMaps,
    draw_tumour,
)
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402
from BrainSegAccelLib.training.normalisation import remove_shading  # noqa: E402
from scipy.ndimage import binary_fill_holes  # noqa: E402
from torch.nn.functional import max_pool3d  # noqa: E402

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
        assert case.images[:, case.brain].std(1).min() > 0.01
        assert not (case.brain & ~case.mask).any()


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
    enhancing, core, _ = volumes(CaseKind.CAVITY)
    assert 0.5 * core < enhancing  # what was taken out is not tumour


def test_a_cavity_is_fluid_and_no_tumour() -> None:
    """Necrosis never; what enhances lies along the wall; the rest of the head gives way."""
    rng, atlas = Rng(11, CPU), load_atlas()
    pose = HeadPose.draw(rng, atlas)
    grid = pose.fitting_grid(4.0)
    lesions = [Lesion(torch.zeros(3), 22.0, CaseKind.CAVITY)]
    anatomy = draw_anatomy(rng, atlas, grid, deformed_positions(rng, atlas, pose, grid, []))
    tumour = draw_tumour(rng, grid, anatomy, lesions)
    assert tumour.cavity.max() > 0.9
    assert not tumour.necrosis.any()
    assert (tumour.whole + tumour.cavity <= 1 + 1e-5).all()
    filled = anatomy.with_fluid(tumour.cavity)
    middle = tumour.cavity > 0.9
    assert filled.csf[middle].min() > 0.9
    tissues = filled.grey + filled.white + filled.csf
    torch.testing.assert_close(tissues, anatomy.grey + anatomy.white + anatomy.csf)


def test_tissue_that_is_only_invaded_counts_as_oedema() -> None:
    """Patches that enhance are core; the tumour around them is not, but for what they enclose."""
    rng, atlas = Rng(12, CPU), load_atlas()
    pose = HeadPose.draw(rng, atlas)
    grid = pose.fitting_grid(4.0)
    anatomy = draw_anatomy(rng, atlas, grid, deformed_positions(rng, atlas, pose, grid, []))
    patches = 0
    for _ in range(8):
        tumour = draw_tumour(rng, grid, anatomy, [Lesion(torch.zeros(3), 22.0, CaseKind.PATCHY)])
        near = max_pool3d(tumour.enhancing[None], 7, 1, 3)[0] > 0.1
        if tumour.necrosis.sum() > tumour.enhancing.sum():
            # The other sort: core that does not enhance, with a focus or few that do.
            assert 0 < tumour.enhancing.sum() < 0.5 * tumour.necrosis.sum()
        else:
            assert tumour.necrosis[~near].max() < 0.05
            assert 0 < tumour.necrosis.sum() < 0.5 * tumour.enhancing.sum()
            assert tumour.enhancing.sum() < 0.5 * tumour.oedema.sum()
            patches += 1
        assert tumour.whole[tuple(size // 2 for size in grid.shape)] > 0.5
        assert tumour.whole.max() <= 1 + 1e-5
    assert 2 <= patches <= 6


def test_what_enhancing_tumour_encloses_is_core() -> None:
    generator = CaseGenerator(voxel=2.0)  # at 4 mm rims have gaps
    enclosed = missed = 0
    for seed in range(4):
        for kind in (CaseKind.RING, CaseKind.PATCHY):
            enhancing, core, _ = (generator.generate(seed, kind).regions > 0.5).numpy()
            for found, labelled in zip(enhancing, core, strict=True):
                holes = binary_fill_holes(found) & ~found
                enclosed += int(holes.sum())
                missed += int((holes & ~labelled).sum())
    assert enclosed > 100
    assert missed < 0.1 * enclosed


def test_outlines_go_to_where_the_last_of_a_tumour_is_seen() -> None:
    none = torch.zeros(6)
    oedema = torch.tensor([0.3, 0.2, 0.3, 0.0, 0.0, 0.0])
    necrosis = torch.tensor([0.0, 0.0, 0.3, 0.4, 0.0, 0.0])
    enhancing = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.25, 0.35])
    soft = outlined_regions(TumourMaps(necrosis, enhancing, oedema, none), torch.ones(6))
    assert (soft > 0.5).tolist() == [
        [False, False, False, False, False, True],
        [False, False, False, True, False, True],
        [True, False, True, True, False, True],
    ]
    assert soft.max() <= 1


def test_tumour_that_hardly_takes_up_contrast_agent_is_core_but_not_enhancing() -> None:
    none = torch.zeros(4)
    enhancing = torch.tensor([0.35, 0.35, 0.8, 0.8])
    bright = torch.tensor([0.9, 0.1, 0.9, 0.1])
    soft = outlined_regions(TumourMaps(none, enhancing, none, none), bright)
    assert (soft[0] > 0.5).tolist() == [True, False, True, False]
    assert (soft[1] > 0.5).tolist() == [True, False, True, True]


def test_enhancing_tumour_outshines_white_matter_after_contrast_agent() -> None:
    generator = CaseGenerator(voxel=2.0)
    compared = 0
    for seed in range(8):
        case = generator.generate(seed, CaseKind.RING, Stripping.CLEAN)
        enhancing = case.regions[0] > 0.5
        healthy = case.brain & (case.regions[2] < 0.01)
        if enhancing.sum() > 20:
            t1c = case.images[1]
            assert t1c[enhancing].median() > t1c[healthy].quantile(0.6)
            compared += 1
    assert compared >= 4


def test_some_diffuse_tumours_have_a_small_enhancing_focus_in_core_that_does_not() -> None:
    generator = CaseGenerator(voxel=2.0)
    small = 0
    for seed in range(12):
        enhancing, core, _ = generator.generate(seed, CaseKind.PATCHY, Stripping.CLEAN).regions
        focus, rest = int((enhancing > 0.5).sum()), int(((core > 0.5) & (enhancing < 0.1)).sum())
        small += 0 < 8 * focus < 1500 < 8 * rest
    assert small >= 2


def test_most_diffuse_tumours_leave_sulci_free() -> None:
    rng, atlas = Rng(13, CPU), load_atlas()
    pose = HeadPose.draw(rng, atlas)
    grid = pose.fitting_grid(4.0)
    anatomy = draw_anatomy(rng, atlas, grid, deformed_positions(rng, atlas, pose, grid, []))
    fluid = anatomy.mask & (anatomy.csf > 0.9)
    lesion = Lesion(torch.tensor([35.0, 0.0, 0.0]), 30.0, CaseKind.NON_ENHANCING)
    tumours = [draw_tumour(rng, grid, anatomy, [lesion]) for _ in range(12)]
    free = sum(bool(tumour.whole[fluid].max() < 0.2) for tumour in tumours)
    assert 5 <= free < 12


def test_core_that_does_not_enhance_is_darker_on_t1_than_invaded_tissue(
    generator: CaseGenerator,
) -> None:
    compared = 0
    for seed in range(12):
        case = generator.generate(seed, CaseKind.NON_ENHANCING, Stripping.CLEAN)
        _, core, whole = case.regions > 0.8
        invaded = whole & (case.regions[1] < 0.1)
        if core.sum() > 10 and invaded.sum() > 10:
            t1 = remove_shading(
                case.images[T1], case.brain & (case.images[T1] > 0), case.voxel, Modality.T1
            )
            assert t1[core].mean() < t1[invaded].mean()
            compared += 1
    assert compared >= 5


def test_stripping_decides_what_is_left_around_the_brain(generator: CaseGenerator) -> None:
    clean, generous, imperfect, absent = (
        generator.generate(6, CaseKind.RING, left) for left in Stripping
    )
    assert torch.equal(clean.mask, clean.brain)
    rim = generous.mask & ~generous.brain
    assert 0.02 < rim.sum() / generous.brain.sum() < 0.3
    assert generous.images[0, rim].mean() < 0.8 * generous.images[0, generous.brain].mean()
    assert (imperfect.mask & ~imperfect.brain).any()
    assert imperfect.mask.sum() < 2 * imperfect.brain.sum()
    assert absent.mask.sum() > 1.5 * absent.brain.sum()
    assert absent.images[:, absent.mask & ~absent.brain].max() > 0
    block = CaseGenerator(voxel=4.0, shape=(24, 24, 24)).generate(5, None, Stripping.ABSENT)
    assert block.stripping is Stripping.IMPERFECT


def test_slices_average_and_interpolate() -> None:
    """Rows are weights that sum to one; a constant and, far from borders, a ramp are kept."""
    for size, spacing, thickness, phase in ((40, 5.0, 4.0, 0.3), (17, 2.6, 2.6, 0.9), (9, 6, 5, 0)):
        matrix = slice_matrix(size, spacing, thickness, phase)
        assert matrix.shape == (size, size)
        assert (matrix >= 0).all()
        torch.testing.assert_close(matrix.sum(1), torch.ones(size))
    ramp = torch.arange(60.0)
    seen = slice_matrix(60, 4.0, 3.0, 0.5) @ ramp
    torch.testing.assert_close(seen[10:-10], ramp[10:-10], atol=0.6, rtol=0)
    spike = torch.zeros(60)
    spike[30] = 1.0
    assert (slice_matrix(60, 5.0, 5.0, 0.5) @ spike).max() < 0.5


def test_field_of_view_is_cut_at_an_end_of_the_brain() -> None:
    mask = torch.zeros(20, 6, 6, dtype=torch.bool)
    mask[4:16] = True
    cuts = 0
    for seed in range(60):
        for seen in cut_field_of_view(Rng(seed, CPU), mask):
            lost = (mask & ~seen).any(2).any(1).nonzero().flatten().tolist()
            cuts += bool(lost)
            assert len(lost) <= 4
            assert not lost or lost[0] == 4 or lost[-1] == 15
    assert 10 < cuts < 120


def test_label_map_follows_the_regions(cases: dict[CaseKind, list[SyntheticCase]]) -> None:
    case = cases[CaseKind.RING][0]
    labels, regions = case.label_map(), case.regions > 0.5
    assert torch.equal(labels == 3, regions[0])
    assert torch.equal((labels == 1) | (labels == 3), regions[1])
    assert torch.equal(labels > 0, regions[2])


def test_sequences_show_tumour_as_physics_has_it(
    cases: dict[CaseKind, list[SyntheticCase]],
) -> None:
    """Enhancing tumour gains on T1c against T1; oedema is brighter than the rest on FLAIR.

    Once the coils' shading is out, which each sequence has its own of.
    """
    for case in cases[CaseKind.SOLID] + cases[CaseKind.RING]:
        images = torch.stack(
            [
                remove_shading(image, case.brain & (image > 0), case.voxel, modality)
                for modality, image in zip(Modality, case.images, strict=True)
            ]
        )
        enhancing, core, whole = case.regions > 0.9
        normal = case.brain & (case.regions[2] < 0.05)
        healthy = images[:, normal].mean(1)
        if enhancing.any():
            relative = images[:, enhancing].mean(1) / healthy
            assert relative[T1C] > relative[T1]
        oedema = whole & ~core
        if oedema.sum() > 5:
            assert images[FLAIR][oedema].mean() > healthy[FLAIR]


def test_head_sizes_are_those_of_adults(generator: CaseGenerator) -> None:
    for seed in range(12):
        inside = generator.generate(seed, CaseKind.NONE, Stripping.CLEAN).mask.nonzero()
        z, y, x = ((inside.amax(0) - inside.amin(0) + 1) * 4.0).tolist()
        assert 80 <= z <= 170  # a cut field of view takes up to three tenths
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
    pose = HeadPose.draw(Rng(2, CPU), atlas)
    middle = pose.to_atlas(torch.zeros(3, 1, 1, 1)).flatten()
    torch.testing.assert_close(middle, atlas.centre)
