from __future__ import annotations

import pytest
from BrainSegAccelLib.inference.cautions import cautions
from BrainSegAccelLib.modality import Modality


def test_without_t1c_nobody_is_left_to_believe_that_nothing_enhances() -> None:
    (caution,) = cautions([Modality.T1, Modality.T2, Modality.FLAIR])
    assert "enhancing tumour" in caution


@pytest.mark.parametrize("available", [[Modality.T1C], list(Modality)])
def test_with_t1c_there_is_nothing_to_say(available: list[Modality]) -> None:
    assert cautions(available) == ()
