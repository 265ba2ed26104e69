from __future__ import annotations

import numpy as np
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.postprocessing.resample import resample_probabilities
from BrainSegAccelLib.study.segmentation import Segmentation
from hypothesis import given, settings
from hypothesis import strategies as st
from label_schemes import TUMOUR
from scipy.spatial.transform import Rotation

MODEL = Grid(
    (48, 48, 48), np.array([[1, 0, 0, -24], [0, 1, 0, -24], [0, 0, 1, -24], [0, 0, 0, 1.0]])
)
CENTRE = np.array([3.0, -4.0, 2.0])


def segment(probabilities: np.ndarray, target: Grid) -> Segmentation:
    plain = Refinement(smallest_lesion_ml=0.0, peak_odds=1.0).resolve(TUMOUR)
    return refine(resample_probabilities(probabilities, TUMOUR, MODEL, target), plain)


def _distance(grid: Grid) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    points = grid.to_patient(np.stack([i, j, k], axis=-1).astype(float))
    return np.linalg.norm(points - CENTRE, axis=-1)


def _ball_probabilities() -> np.ndarray:
    """Three concentric balls of 4, 7 and 11 mm with soft borders."""
    distance = _distance(MODEL)
    radii = np.array([4.0, 7.0, 11.0])[:, None, None, None]
    return (1.0 / (1.0 + np.exp(distance - radii))).astype(np.float32)


@given(
    rotation=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.6, 4.0)] * 3),
    flip=st.booleans(),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
)
@settings(deadline=None, max_examples=40)
def test_a_point_in_patient_space_keeps_its_label(
    rotation: tuple[float, ...],
    spacing: tuple[float, ...],
    flip: bool,
    shift: tuple[float, ...],
) -> None:
    direction = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    if flip:
        direction[:, 2] *= -1
    shape = tuple(int(40 / s) + 1 for s in spacing[::-1])
    affine = np.eye(4)
    affine[:3, :3] = direction * spacing
    middle = (np.array(shape[::-1]) - 1) / 2
    affine[:3, 3] = CENTRE + shift - affine[:3, :3] @ middle
    target = Grid(shape, affine)  # type: ignore[arg-type]
    result = segment(_ball_probabilities(), target)
    assert result.grid is target
    distance = _distance(target)
    # Interpolation moves a border by a fraction of a voxel; away from it labels are certain.
    sure = np.min([np.abs(distance - r) for r in (4.0, 7.0, 11.0)], axis=0) > 0.5
    expected = np.select([distance < 4, distance < 7, distance < 11], [3, 1, 2], 0)
    np.testing.assert_array_equal(result.labels[sure], expected[sure])


def test_same_lattice_is_exact_and_outside_of_the_model_grid_is_background() -> None:
    affine = MODEL.affine.copy()
    affine[:3, 3] -= (10, 20, 30)
    target = Grid((100, 90, 80), affine)
    p = _ball_probabilities()
    result = segment(p, target)
    inner = result.labels[30:78, 20:68, 10:58]
    np.testing.assert_array_equal(inner > 0, p[2] > 0.5)
    assert (result.labels > 0).sum() == (inner > 0).sum()


def test_no_tumour_gives_an_empty_segmentation_on_the_target_grid() -> None:
    target = Grid((5, 6, 7), np.eye(4))
    result = segment(np.zeros((3, 48, 48, 48), dtype=np.float32), target)
    assert result.labels.shape == (5, 6, 7)
    assert not result.labels.any()


def test_a_tumour_beside_the_target_leaves_it_empty() -> None:
    affine = np.eye(4)
    affine[:3, 3] = 500.0
    assert not segment(_ball_probabilities(), Grid((9, 9, 9), affine)).labels.any()
