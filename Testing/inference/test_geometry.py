"""Wherever and however a head is stored, a point of it keeps its label."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.read_labels import read_labels
from BrainSegAccelLib.models.tasks import TUMOUR as TUMOUR_TASK
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.postprocessing.resample import resample_probabilities
from BrainSegAccelLib.preprocessing.network_input import make_network_input
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.target import locate
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from hypothesis import given, settings
from hypothesis import strategies as st
from label_schemes import TUMOUR
from scipy.spatial.transform import Rotation

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "geometry.py"
SHAPE = (96, 96, 96)
PLAIN = Refinement(smallest_lesion_ml=0.0, peak_odds=1.0).resolve(TUMOUR)
HEAD_MM, TUMOUR_MM = 38.0, 15.0

angles = st.tuples(*[st.floats(-180, 180)] * 3)
spacings = st.tuples(*[st.floats(0.7, 4.0)] * 3)
shifts = st.tuples(*[st.floats(-30, 30)] * 3)


def _motion(turns: tuple[float, ...], shift: tuple[float, ...]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turns, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def _points(grid: Grid) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    return grid.to_patient(np.stack([i, j, k], axis=-1).astype(float))


def _grid(turns: tuple[float, ...], spacing: tuple[float, ...], mirrored: bool) -> Grid:
    """A grid that holds the head, around the origin, with any direction matrix."""
    affine = _motion(turns, (0.0, 0.0, 0.0))
    affine[:3, :3] *= spacing
    if mirrored:
        affine[:3, 0] *= -1.0
    i, j, k = (int(2.4 * HEAD_MM / s) + 1 for s in spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array([i, j, k]) - 1) / 2)
    return Grid((k, j, i), affine)


def _scan(grid: Grid, centre: np.ndarray, head: np.ndarray) -> Volume:
    """A bright ball, the tumour, in a larger one; both where ``head`` has moved them."""
    points = (_points(grid) - head[:3, 3]) @ head[:3, :3]
    from_tumour = np.linalg.norm(points - centre, axis=-1)
    bright = np.where(from_tumour < TUMOUR_MM, 400.0, 100.0)
    shown = np.where(np.linalg.norm(points, axis=-1) < HEAD_MM, bright, 0.0)
    return Volume(shown.astype(np.float32), grid.affine)


@given(
    own=st.tuples(angles, spacings, st.booleans()),
    reference=st.tuples(angles, spacings, st.booleans()),
    moved=st.tuples(angles, shifts),
    place=shifts,
)
@settings(deadline=None, max_examples=25)
def test_a_point_keeps_its_label_through_any_grid_and_motion(own, reference, moved, place) -> None:
    """The tumour shows on FLAIR only, which was taken elsewhere, on another grid."""
    centre = np.array([9.0, -11.0, 7.0])
    here, away = _motion((0, 0, 0), place), _motion(*moved)
    placed = _grid(*reference).moved(here)
    flair = _scan(_grid(*own).moved(away), centre, away)
    t1c = _scan(placed, np.full(3, 1e3), here)
    found = Alignment.of(Decision.REGISTERED, here @ np.linalg.inv(away), same_grid=False)
    study = Study({Modality.T1C: t1c, Modality.FLAIR: flair})
    seen = make_network_input(study, TUMOUR_TASK.inputs, SHAPE, {Modality.FLAIR: found})
    # In place of a network: what is bright on FLAIR is enhancing tumour, with a soft border.
    bright = 1.0 / (1.0 + np.exp(-4.0 * seen.x[0, Modality.FLAIR.channel].clip(-5, 5) + 4.0))
    probabilities = np.repeat(bright[None], 3, axis=0).astype(np.float32)
    for target, head in ((Modality.T1C, here), (Modality.FLAIR, away)):
        kept = resample_probabilities(probabilities, TUMOUR, *locate(target, study, seen))
        labels = refine(kept, PLAIN).labels
        points = (_points(study[target].grid) - head[:3, 3]) @ head[:3, :3]
        distance = np.linalg.norm(points - centre, axis=-1)
        # FLAIR's voxels blur the border, by the diagonal of one at most, and 1 mm ones once more.
        blur = float(np.linalg.norm(flair.grid.spacing)) + 2.0
        assert (labels[distance < TUMOUR_MM - blur] == 3).all()
        assert not labels[distance > TUMOUR_MM + blur].any()


@pytest.mark.slow
def test_the_shipped_model_segments_the_phantom_alike_however_it_is_stored(
    engine_cache: EngineCache,
) -> None:
    spec = importlib.util.spec_from_file_location("geometry_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    case = resource("SampleData", "phantom")
    truth = read_labels(case / "seg.nii.gz", TUMOUR.scheme)
    pipeline = Pipeline(engine=EngineChoice(backend="openvino"), cache=engine_cache)
    found = script.scores(pipeline, read_study(discover(case)), truth)
    untouched = found["untouched"]["WT"]
    assert untouched > 0.8
    for name, (_variant, allowed) in script.VARIANTS.items():
        assert found[name]["WT"] == pytest.approx(untouched, abs=allowed), name
