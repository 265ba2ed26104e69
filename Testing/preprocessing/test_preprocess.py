"""What a network is given of a study: as its card says, with a reason where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.models.description import (
    Channel,
    Inputs,
    UnitRange,
    ZScore,
)
from BrainSegAccelLib.models.tasks import TUMOUR
from BrainSegAccelLib.preprocessing.brain_mask import BrainSource
from BrainSegAccelLib.preprocessing.options import BrainExtraction, PreprocessingOptions
from BrainSegAccelLib.preprocessing.preprocess import preprocess
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study

from ..conftest import head

WINDOW = (32, 48, 32)
TWO = Inputs(
    channels=(
        Channel(modality=Modality.FLAIR, required=True),
        Channel(modality=Modality.T1C),
    ),
    spacing_mm=(1.0, 1.0, 1.0),
    normaliser=ZScore(),
    availability=False,
)


@pytest.fixture
def large_head() -> Study:
    """One sequence of a head of 340 ml, in voxels of 3 mm."""
    return Study({Modality.T1: head(spacing=(3.0, 3.0, 3.0))})


def upper_half(volume: Volume) -> np.ndarray:
    """A finder of brains: half of what is shown."""
    found = volume.array != 0
    found[: len(found) // 2] = False
    return found


def nothing_to_find(_: Volume) -> np.ndarray:
    raise AssertionError("the brain is extracted already")


def test_the_stages_are_timed_and_the_brain_is_found_as_asked_for(large_head: Study) -> None:
    clock = StageClock()
    options = PreprocessingOptions(brain_extraction=BrainExtraction.ON)
    given = preprocess(
        large_head, TUMOUR.inputs, WINDOW, options, find_brain=upper_half, clock=clock
    )
    assert list(clock.stages_ms) == ["register", "extract brain", "preprocess"]
    assert given.record.brain is BrainSource.NETWORK
    whole = preprocess(large_head, TUMOUR.inputs, WINDOW, find_brain=nothing_to_find)
    assert 0.4 < given.record.foreground_ml / whole.record.foreground_ml < 0.6


def test_a_mask_that_is_given_goes_before_all_else(four_modalities: Study) -> None:
    reference = four_modalities[four_modalities.reference]
    mask = Volume(upper_half(reference).astype(np.float32), reference.affine)
    given = preprocess(
        four_modalities, TUMOUR.inputs, WINDOW, find_brain=nothing_to_find, brain_mask=mask
    )
    assert given.record.brain is BrainSource.GIVEN
    assert given.record.foreground_ml == pytest.approx(np.count_nonzero(mask.array) / 1000)


def test_channels_are_those_of_the_card_in_its_order(four_modalities: Study) -> None:
    usual = preprocess(four_modalities, TUMOUR.inputs, WINDOW, find_brain=nothing_to_find)
    two = preprocess(four_modalities, TWO, WINDOW, find_brain=nothing_to_find)
    np.testing.assert_array_equal(two.x[0], usual.x[0, [3, 1]])
    assert two.availability.tolist() == [[1, 1]]
    assert list(two.record.resampled) == [Modality.T1C, Modality.FLAIR]
    assert list(two.record.alignment) == [Modality.T1, Modality.T2, Modality.FLAIR]
    flair = Study({Modality.FLAIR: four_modalities[Modality.FLAIR]})
    alone = preprocess(flair, TWO, WINDOW, find_brain=nothing_to_find)
    assert alone.availability.tolist() == [[1, 0]]


def test_a_modality_that_the_card_requires_is_asked_for(four_modalities: Study) -> None:
    rest = Study({m: v for m, v in four_modalities.items() if m is not Modality.FLAIR})
    with pytest.raises(InputError, match=r"needs FLAIR.*give that volume"):
        preprocess(rest, TWO, WINDOW, find_brain=nothing_to_find)
    t2 = Study({Modality.T2: four_modalities[Modality.T2]})
    one = TWO.model_copy(update={"channels": (Channel(modality=Modality.T1C),)})
    with pytest.raises(InputError, match="takes T1c, and the study has none"):
        preprocess(t2, one, WINDOW, find_brain=nothing_to_find)


def test_a_channel_for_any_modality_is_given_the_reference(four_modalities: Study) -> None:
    anything = TWO.model_copy(update={"channels": (Channel(modality="any"),)})
    given = preprocess(four_modalities, anything, WINDOW, find_brain=nothing_to_find)
    usual = preprocess(four_modalities, TUMOUR.inputs, WINDOW, find_brain=nothing_to_find)
    np.testing.assert_array_equal(given.x[0, 0], usual.x[0, Modality.T1C.channel])


def test_spacing_and_normaliser_are_those_of_the_card(four_modalities: Study) -> None:
    coarse = Inputs(
        channels=TUMOUR.inputs.channels,
        spacing_mm=(2.0, 1.0, 4.0),
        normaliser=UnitRange(),
        availability=True,
    )
    given = preprocess(four_modalities, coarse, (16, 48, 16), find_brain=nothing_to_find)
    assert given.x.shape == (1, 4, 16, 48, 16)
    assert given.grid.spacing == (4.0, 1.0, 2.0)
    assert given.x.min() == 0.0
    assert given.x.max() == 1.0
    fine = preprocess(four_modalities, TUMOUR.inputs, WINDOW, find_brain=nothing_to_find)
    np.testing.assert_allclose(
        given.grid.corners().mean(axis=0), fine.grid.corners().mean(axis=0), atol=2.5
    )


def test_shading_stays_where_the_card_says_so(large_head: Study) -> None:
    kept = TUMOUR.inputs.model_copy(update={"normaliser": ZScore(remove_shading=False)})
    one, other = (
        preprocess(large_head, inputs, WINDOW, find_brain=nothing_to_find).x
        for inputs in (kept, TUMOUR.inputs)
    )
    assert not np.allclose(one, other)
