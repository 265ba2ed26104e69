from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.reporting.plot import Dot, draw_times

matplotlib_image = pytest.importorskip("matplotlib.image")


def test_every_candidate_adds_a_row_and_ours_have_their_colour(tmp_path: Path) -> None:
    ours, theirs = Dot("ours", 10.0, 12.0, True), Dot("theirs", 900.0, 1000.0, False)

    def drawn(*dots: Dot) -> np.ndarray:
        draw_times(dots, "ms", tmp_path / "times.png")
        return matplotlib_image.imread(tmp_path / "times.png")[..., :3]

    def has(picture: np.ndarray, colour: tuple[float, float, float]) -> bool:
        return bool((np.abs(picture - np.array(colour) / 255.0).max(axis=-1) < 0.02).any())

    one, both = drawn(theirs), drawn(ours, theirs)
    assert both.shape[0] > one.shape[0]
    assert has(both, (0x1F, 0x77, 0xB4))
    assert not has(one, (0x1F, 0x77, 0xB4))
    np.testing.assert_array_equal(drawn(theirs, ours), both)
