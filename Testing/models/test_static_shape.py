"""The deployed shape holds a whole brain in one pass."""

from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.bounding_box import bounding_box
from BrainSegAccelLib.inference.sliding_window import count_windows
from BrainSegAccelLib.models.package import load_package, shipped_models

datasets = pytest.importorskip("nilearn.datasets")

ATLAS_BRAIN_MM = (154, 180, 143)
"""Extent (z, y, x) of grey and white matter of the ICBM152 2009a atlas, as docs state it."""


@pytest.fixture(scope="module")
def extent() -> tuple[int, ...]:
    tissue = datasets.load_mni152_gm_template(1), datasets.load_mni152_wm_template(1)
    brain = sum(np.asarray(image.dataobj) for image in tissue).T > 0.5
    box = bounding_box(brain)
    assert box is not None
    return tuple(side.stop - side.start for side in box)


def test_the_atlas_is_as_large_as_the_docs_say(extent: tuple[int, ...]) -> None:
    assert extent == pytest.approx(ATLAS_BRAIN_MM, abs=2)


@pytest.mark.parametrize("model", shipped_models())
def test_the_atlas_takes_one_pass_with_room_to_tilt(model: str, extent: tuple[int, ...]) -> None:
    inference = load_package(model).card.inference
    shape = inference.window
    assert count_windows(tuple(map(max, extent, shape)), inference) == 1
    assert all(side % 16 == 0 for side in shape)
