"""Samples are pure functions of their index and look like the pipeline's input."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")

from BrainSegAccelLib.synthesis.cases import CaseGenerator, SyntheticCase  # noqa: E402
from BrainSegAccelLib.synthesis.lesions import CaseKind  # noqa: E402
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402
from BrainSegAccelLib.training.config import SUBSET_WEIGHTS, Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.normalisation import normalise  # noqa: E402
from BrainSegAccelLib.training.prepared_cases import OwnCase  # noqa: E402
from BrainSegAccelLib.training.samples import SampleStream  # noqa: E402
from BrainSegAccelLib.training.sources import SyntheticSource  # noqa: E402
from BrainSegAccelLib.training.tumour import draw_turn  # noqa: E402
from BrainSegAccelLib.training.tumour_samples import draw_sample  # noqa: E402
from BrainSegAccelLib.training.windows import centred_window, cut  # noqa: E402

CROP = Stage(steps=6, shape=(64, 80, 64), case_voxel=4, whole_brain=False, samples_per_case=2)
ALL_FOUR = {"1111": 1.0}
WHOLE = Stage(steps=6, shape=(192, 208, 176), case_voxel=4)


@pytest.fixture(scope="module")
def case() -> SyntheticCase:
    return CaseGenerator(voxel=4.0).generate(11, CaseKind.RING)


def rng(seed: int) -> Rng:
    return Rng(seed, torch.device("cpu"))


def stream(workers: int = 1) -> SampleStream:
    config = TrainingConfig(name="test", stages=(CROP,), workers=workers)
    return SampleStream(config, 0, SyntheticSource(4.0, torch.device("cpu")), draw_turn)


def test_a_sample_does_not_depend_on_what_was_drawn_before() -> None:
    in_order = stream()
    first_to_last = [in_order[index] for index in range(4)]
    alone = stream()[3]
    for expected, actual in zip(first_to_last[3], alone, strict=True):
        assert torch.equal(expected, actual)


def test_a_worker_that_was_not_forked_draws_the_same() -> None:
    sent = pickle.loads(pickle.dumps(stream(workers=2)))
    for expected, actual in zip(stream(workers=2)[3], sent[3], strict=True):
        assert torch.equal(expected, actual)


def test_a_case_serves_as_many_samples_as_configured() -> None:
    used = [stream().place(index)[0] for index in range(40)]
    counts = [used.count(number) for number in set(used)]
    assert max(counts) == 2
    assert counts.count(2) >= len(counts) - 2
    assert all(first != second for first, second in pairwise(used))


def test_no_case_is_made_twice(case: SyntheticCase) -> None:
    """Making cases is what a worker spends its time on."""
    made: list[int] = []

    class Counted:
        def case(self, number: int) -> SyntheticCase:
            made.append(number)
            return case

    config = TrainingConfig(name="test", stages=(CROP.model_copy(update={"samples_per_case": 3}),))
    samples = SampleStream(config, 0, Counted(), draw_turn)
    for index in range(30):
        samples[index]
    assert len(made) == len(set(made)) <= 30 // 3 + 3


def test_beyond_its_field_of_view_a_sequence_is_zero(case: SyntheticCase) -> None:
    """And the rest is normalised as if the lost part had never been in the mask."""
    images = case.images.clone()
    images[0, : images.shape[1] // 2] = 0
    cut_case = replace(case, images=images)
    x = draw_sample(rng(0), cut_case, WHOLE, ALL_FOUR).x[0].float()
    values = x[x != 0]
    assert abs(float(values.mean())) < 0.2
    assert 0.5 < float(values.std()) < 1.5


def test_workers_have_cases_of_their_own() -> None:
    two = stream(workers=2)
    even, odd = ({two.place(index)[0] for index in range(start, 40, 2)} for start in (0, 1))
    assert not even & odd


def test_missing_modalities_are_zero_and_marked(case: SyntheticCase) -> None:
    seen = set()
    for seed in range(30):
        sample = draw_sample(rng(seed), case, CROP, SUBSET_WEIGHTS)
        present = sample.availability.bool()
        assert 0 < int(present.sum()) < 4
        assert not sample.x[~present].any()
        assert all(channel.any() for channel in sample.x[present])
        seen.add(tuple(present.tolist()))
    assert len(seen) > 8
    full = draw_sample(rng(0), case, CROP, ALL_FOUR)
    assert full.availability.tolist() == [1, 1, 1, 1]


def test_a_modality_that_a_case_lacks_is_never_shown(case: SyntheticCase) -> None:
    lacking = replace(case, images=case.images * torch.tensor([1.0, 0, 1, 0])[:, None, None, None])
    seen = set()
    for seed in range(30):
        sample = draw_sample(
            rng(seed), lacking, CROP, TrainingConfig(name="test", stages=(CROP,)).subsets
        )
        assert sample.x.flatten(1).any(dim=1).tolist() == sample.availability.bool().tolist()
        seen.add(tuple(sample.availability.tolist()))
    assert seen == {(1, 0, 1, 0), (1, 0, 0, 0), (0, 0, 1, 0)}


def test_nothing_is_shown_beyond_a_field_of_view(case: SyntheticCase) -> None:
    images = case.images.clone()
    images[0, : images.shape[1] // 2] = 0
    sample = draw_sample(rng(3), replace(case, images=images), WHOLE, ALL_FOUR)
    t1, others = sample.x[0] != 0, (sample.x[1:] != 0).all(dim=0)
    assert 0.2 < float((t1 & others).sum() / others.sum()) < 0.8


def test_regions_are_nested_and_on_the_samples_grid(case: SyntheticCase) -> None:
    sample = draw_sample(rng(1), case, CROP, ALL_FOUR)
    assert sample.x.shape == (4, *CROP.shape)
    assert sample.regions.shape == (3, *CROP.shape)
    enhancing, core, whole = sample.regions.bool()
    assert whole.any()
    assert not (enhancing & ~core).any()
    assert not (core & ~whole).any()


def test_whole_brain_samples_hold_the_whole_brain_in_the_middle(case: SyntheticCase) -> None:
    sample = draw_sample(rng(2), case, WHOLE, ALL_FOUR)
    brain = (sample.x != 0).any(0).nonzero().float()
    middle = (brain.amin(0) + brain.amax(0)) / 2
    expected = torch.tensor(WHOLE.shape) / 2
    assert (middle - expected).abs().max() <= 4 * 4
    volume = float((sample.x != 0).any(0).sum()) / 64
    assert volume == pytest.approx(float(case.mask.sum()), rel=0.1)


def test_window_is_centred_and_zero_filled() -> None:
    mask = torch.zeros(10, 12, 14, dtype=torch.bool)
    mask[2:6, 3:9, 1:5] = True
    start = centred_window(mask, (8, 8, 8))
    assert start == [0, 2, -1]
    window = cut(mask[None].float(), start, (8, 8, 8))[0]
    assert window.sum() == mask.sum()
    assert window[2, 1, 2] == 1
    assert not window[:, :, 0].any()
    assert not cut(mask[None].float(), [50, 0, 0], (4, 4, 4)).any()


def test_unvaried_sample_equals_the_normalised_case() -> None:
    """With 1 mm cases nothing but window, mirror and grey scale lies between case and sample."""
    image = torch.rand(4, 16, 16, 16, generator=torch.Generator().manual_seed(0)) + 0.1
    mask = torch.ones(16, 16, 16, dtype=torch.bool)
    case = OwnCase(image, torch.zeros(3, 16, 16, 16), mask)
    stage = Stage(steps=1, shape=(32, 32, 32))
    expected = {round(float(normalise(channel, mask).abs().sum()), 0) for channel in image}
    found = set()
    for seed in range(12):
        x = draw_sample(rng(seed), case, stage, ALL_FOUR).x.float()
        found |= {round(float(channel.abs().sum()), 0) for channel in x}
    assert len(expected & found) >= 2


def test_half_of_the_sequences_keep_their_z_scores_and_the_others_get_another_scale() -> None:
    image = torch.rand(4, 16, 16, 16, generator=torch.Generator().manual_seed(1)) + 0.1
    mask = torch.zeros(16, 16, 16, dtype=torch.bool)
    mask[2:14, 2:14, 2:14] = True
    case = OwnCase(image * mask, torch.zeros(3, 16, 16, 16), mask)
    stage = Stage(steps=1, shape=(32, 32, 32))
    kept, gains = 0, []
    for seed in range(25):
        x = draw_sample(rng(seed), case, stage, ALL_FOUR).x.float()
        assert ((x != 0).sum((1, 2, 3)) <= 12**3).all()
        for channel in x:
            values = channel[channel != 0]
            mean, deviation = float(values.mean()), float(values.std())
            kept += abs(mean) < 0.01 and abs(deviation - 1) < 0.01
            gains.append(deviation)
    assert 35 <= kept <= 65
    assert 0.5 < min(gains) < 0.9 < 1.1 < max(gains) < 2


def test_subsets_are_drawn_as_configured() -> None:
    config = TrainingConfig(
        name="test",
        stages=(CROP,),
        full_set_share=0.25,
        subset_weights={"1000": 1.0, "0011": 3.0},
    )
    assert config.subsets == pytest.approx({"1111": 0.25, "1000": 0.1875, "0011": 0.5625})
    assert set(TrainingConfig(name="test", stages=(CROP,)).subset_weights) == set(SUBSET_WEIGHTS)
    assert len(SUBSET_WEIGHTS) == 14
    for wrong in ({"1111": 1.0}, {"0000": 1.0}, {"10": 1.0}, {"1000": -1.0}, {"1000": 0.0}):
        with pytest.raises(ValueError, match="subset"):
            TrainingConfig(name="test", stages=(CROP,), subset_weights=wrong)
