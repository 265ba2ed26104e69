from __future__ import annotations

import pytest
from BrainSegAccelLib.runs.cautions import cautions
from BrainSegAccelLib.study.modality import Modality
from label_schemes import POSTOPERATIVE, TUMOUR


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({Modality.T1C}, ["enhancing tumour"]),
        ({Modality.T2, Modality.FLAIR}, ["oedema"]),
        ({Modality.T1C, Modality.T2, Modality.FLAIR}, ["oedema", "enhancing tumour"]),
        (set(), []),
        ({Modality.T1, Modality.T2}, []),
    ],
)
def test_a_caution_for_every_limit_and_no_other(missing: set[Modality], words: list[str]) -> None:
    found = cautions([modality for modality in Modality if modality not in missing], TUMOUR.scheme)
    assert len(found) == len(words)
    for word, caution in zip(words, found, strict=True):
        assert word in caution


def test_a_model_whose_labels_need_no_modality_has_none() -> None:
    assert cautions([Modality.T1], POSTOPERATIVE.scheme) == ()
