from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.reporting.picture import draw_result
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.segmentation import Segmentation
from label_schemes import TUMOUR

ALIGNED = np.diag([2.0, 2.0, 2.0, 1.0])
# i runs to superior, j to anterior and a little to the left, k to the right.
TURNED = np.array([[0, 0.4, -2.5, 60], [0, -2.0, -0.5, 50], [2.0, 0, 0, -40], [0, 0, 0, 1]])


def head(affine: np.ndarray, tumour: bool = True) -> tuple[Volume, Segmentation]:
    """A ball with an enhancing tumour at the patient's left front."""
    grid = Grid((48, 48, 48), affine)
    voxels = np.stack(np.meshgrid(*[np.arange(48.0)] * 3, indexing="ij")[::-1], axis=-1)
    place = grid.to_patient(voxels) - grid.corners().mean(axis=0)
    inside = np.linalg.norm(place, axis=-1) < 42
    lesion = np.linalg.norm(place - (20, -20, 5), axis=-1) < 10
    labels = np.where(lesion & tumour, 3, 0).astype(np.uint8)
    volume = Volume((100.0 * inside).astype(np.float32), affine)
    return volume, Segmentation(labels, grid, TUMOUR.scheme)


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return imread(path)[..., :3]


def contour_centre(picture: np.ndarray) -> np.ndarray:
    """Mean (row, column), 0 to 1, of the contour's colour in the axial view, the left third."""
    colour = np.array(TUMOUR.scheme.label(3).colour) / 255.0
    area = picture[: int(0.84 * len(picture)), : picture.shape[1] // 3]
    rows, columns = np.nonzero(np.abs(area - colour).max(axis=-1) < 0.08)
    assert rows.size > 50
    return np.array([rows.mean() / len(picture), columns.mean() / area.shape[1]])


@pytest.mark.parametrize("affine", [ALIGNED, TURNED], ids=["aligned", "turned"])
def test_the_patients_left_is_on_the_right_and_anterior_is_up(
    tmp_path: Path, affine: np.ndarray
) -> None:
    volume, segmentation = head(affine)
    draw_result({Modality.T1C: volume}, segmentation, tmp_path / "x.png")
    row, column = contour_centre(pixels(tmp_path / "x.png"))
    assert row < 0.45
    assert column > 0.55


def test_a_result_without_tumour_is_drawn_too(tmp_path: Path) -> None:
    volume, segmentation = head(ALIGNED, tumour=False)
    draw_result({Modality.FLAIR: volume}, segmentation, tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    width, height = struct.unpack(">2I", data[16:24])
    assert data.startswith(b"\x89PNG")
    assert width > height > 500
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_brightness_offset_does_not_matter(tmp_path: Path) -> None:
    volume, segmentation = head(ALIGNED)
    shifted = Volume(volume.array - 500.0, volume.affine)
    for name, shown in (("a.png", volume), ("b.png", shifted)):
        draw_result({Modality.T1C: shown}, segmentation, tmp_path / name)
    assert np.abs(pixels(tmp_path / "a.png") - pixels(tmp_path / "b.png")).max() < 0.02
