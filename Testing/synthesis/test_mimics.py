"""What looks like tumour and is not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nilearn")

from BrainSegAccelLib.synthesis.anatomy import Anatomy, draw_anatomy  # noqa: E402
from BrainSegAccelLib.synthesis.atlas import load_atlas  # noqa: E402
from BrainSegAccelLib.synthesis.geometry import (  # noqa: E402
    Grid,
    HeadPose,
    deformed_positions,
)
from BrainSegAccelLib.synthesis.lesions import TumourMaps  # noqa: E402
from BrainSegAccelLib.synthesis.mimics import draw_mimics  # noqa: E402
from BrainSegAccelLib.synthesis.rng import Rng  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def head() -> tuple[Grid, Anatomy]:
    rng, atlas = Rng(5, CPU), load_atlas()
    pose = HeadPose.draw(rng, atlas)
    grid = pose.fitting_grid(3.0)
    source = deformed_positions(rng, atlas, pose, grid, [])
    return grid, draw_anatomy(rng, atlas, grid, source)


def test_vessels_run_through_what_is_about_a_tumour_but_not_through_what_enhances(
    head: tuple[Grid, Anatomy],
) -> None:
    grid, anatomy = head
    none = torch.zeros(grid.shape)
    middle = tuple(slice(size // 2 - 6, size // 2 + 6) for size in grid.shape)
    inner = tuple(slice(size // 2 - 2, size // 2 + 2) for size in grid.shape)
    oedema, enhancing = none.clone(), none.clone()
    oedema[middle] = 1
    enhancing[inner], oedema[inner] = 1, 0
    tumour = TumourMaps(none, enhancing, oedema, none)
    healthy = TumourMaps(none, none, none, none)
    tissue = (oedema > 0) & (anatomy.csf < 0.05)
    more = 0
    for seed in range(10):
        with_tumour = draw_mimics(Rng(seed, CPU), grid, anatomy, tumour).vessels
        without = draw_mimics(Rng(seed, CPU), grid, anatomy, healthy).vessels
        assert not with_tumour[enhancing > 0].any()
        assert ((with_tumour >= 0) & (with_tumour <= 1)).all()
        more += bool(with_tumour[tissue].sum() > 2 * without[tissue].sum())
    assert 3 <= more < 10
