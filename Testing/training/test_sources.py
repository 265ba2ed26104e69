"""Sources give cases by number, and a mixture draws fairly from both."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")

from BrainSegAccelLib.synthesis.lesions import CaseKind  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.prepared_cases import OwnCase  # noqa: E402
from BrainSegAccelLib.training.sources import (  # noqa: E402
    MixedSource,
    SyntheticSource,
    synthetic_sources,
)

CPU = torch.device("cpu")
EMPTY = OwnCase(
    torch.zeros(4, 1, 1, 1), torch.zeros(3, 1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool)
)


@dataclass
class Noting:
    """Notes which cases it was asked for."""

    asked: list[int] = field(default_factory=list)

    def case(self, number: int) -> OwnCase:
        self.asked.append(number)
        return EMPTY


def test_a_synthetic_case_is_the_one_of_its_seed() -> None:
    source = SyntheticSource(4.0, CPU)
    expected = source.generator.generate(5)
    assert torch.equal(source.case(5).images, expected.images)
    assert source.case(5).voxel == 4.0


def test_kinds_of_cases_are_made_as_configured() -> None:
    config = TrainingConfig(
        name="test",
        stages=(Stage(steps=1, case_voxel=4),),
        kind_weights={CaseKind.NONE: 1.0, CaseKind.RING: 0.0},
    )
    source = synthetic_sources(config, CPU)(config.stages[0])
    assert all(source.case(number).regions.max() == 0 for number in range(4))
    for wrong in ({"fog": 1.0}, {"ring": -1.0}, {"none": 0.0}):
        with pytest.raises(ValueError, match="kind"):
            TrainingConfig(name="test", stages=config.stages, kind_weights=wrong)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_mixture_keeps_to_its_share(share: float) -> None:
    first, second = Noting(), Noting()
    mixed = MixedSource(first, second, share)
    for number in range(400):
        mixed.case(number)
    assert sorted(first.asked + second.asked) == list(range(400))
    assert len(first.asked) / 400 == pytest.approx(share, abs=0.06)


def test_a_mixture_chooses_by_the_number_alone() -> None:
    once, again = Noting(), Noting()
    for noting in (once, again):
        mixed = MixedSource(noting, Noting(), 0.5)
        for number in range(50) if noting is once else reversed(range(50)):
            mixed.case(number)
    assert sorted(again.asked) == once.asked


def test_cases_are_made_on_the_training_device_by_workers_too() -> None:
    cuda = torch.device("cuda")
    stage = Stage(steps=1, case_voxel=2)
    for workers in (0, 2):
        config = TrainingConfig(name="test", stages=(stage,), workers=workers)
        assert synthetic_sources(config, cuda)(stage) == SyntheticSource(2.0, cuda)
