"""What a person is told in a run ends in its record, without names and folders."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.manifest.build import record_inputs
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.preprocessing.options import BrainExtraction, PreprocessingOptions
from BrainSegAccelLib.preprocessing.preprocess import preprocess
from BrainSegAccelLib.runs.given import Given
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.told import in_words, noted
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from label_schemes import TUMOUR


def test_warnings_of_the_library_are_noted_once_and_still_shown(
    four_modalities: Study, tiny_package: ModelPackage
) -> None:
    card, shown = tiny_package.card, list[str]()
    flair = four_modalities[Modality.FLAIR]
    noise = np.random.default_rng(0).random(flair.array.shape, dtype=np.float32)
    noisy = Study({Modality.FLAIR: replace(flair, array=flair.array + noise)})
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        with noted() as told:
            for _ in range(2):
                preprocess(
                    noisy,
                    card.inputs,
                    card.inference.window,
                    PreprocessingOptions(brain_extraction=BrainExtraction.AUTO),
                    find_brain=lambda volume: volume.array < 0,
                )
            warnings.warn("of somebody else", stacklevel=1)
    (said,) = told
    assert said.startswith("flair.nii.gz: no brain was found")
    assert len(shown) == 3


def test_nothing_is_noted_any_more_afterwards() -> None:
    before = warnings.showwarning
    with noted():
        pass
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Doe^Jane.nii: no brain was found", "FLAIR: no brain was found"),
        ("mask of Doe^Jane is empty", "brain mask is empty"),
        (
            "engine not cached: /home/jane doe/.cache/x.engine: full",
            "engine not cached: x.engine: full",
        ),
        (r"C:\Users\jane\x.engine: full", "x.engine: full"),
        ("'/tmp/a/b.onnx' is in BF16/FP32, 3 / 4", "'b.onnx' is in BF16/FP32, 3 / 4"),
    ],
)
def test_a_record_has_no_names_and_no_folders(four_modalities: Study, said: str, kept: str) -> None:
    flair = four_modalities[Modality.FLAIR]
    study = Study({Modality.FLAIR: Volume(flair.array, flair.affine, "Doe^Jane.nii")})
    mask = Volume(flair.array, flair.affine, "mask of Doe^Jane")
    given = Given(study, record_inputs(study), RunOptions(brain_mask=mask))
    *cautions, last = in_words(given, TUMOUR.scheme, [said])
    assert last == kept
    assert cautions[0].startswith("Without T1c")


def test_what_was_repaired_is_told_with_its_modality(four_modalities: Study) -> None:
    records = [
        record.model_copy(update={"remarks": ("a slice was moved",)})
        for record in record_inputs(four_modalities)
        if record.modality is Modality.T2
    ]
    given = Given(four_modalities, records, RunOptions())
    assert list(in_words(given, TUMOUR.scheme, [])) == ["T2: a slice was moved"]
    assert str(Path.home()) not in "".join(
        in_words(given, TUMOUR.scheme, [f"{Path.home()}/x: gone"])
    )
