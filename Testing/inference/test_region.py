from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.inference.region import crop_to_roi
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.models.tasks import TUMOUR
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.preprocessing.network_input import make_network_input
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.study import Study

WINDOW = (32, 48, 32)
PLAIN = Refinement(smallest_lesion_ml=0.0, peak_odds=1.0)


def _box(study: Study, low: float, high: float) -> Roi:
    """The middle of the head between two shares of its corners."""
    corners = study.reference_grid.corners()
    first, last = corners.min(axis=0), corners.max(axis=0)
    return Roi.from_corners(first + low * (last - first), first + high * (last - first))


def test_the_region_lies_in_the_middle_and_voxels_stay_in_place(four_modalities: Study) -> None:
    given = make_network_input(four_modalities, TUMOUR.inputs, WINDOW)
    roi = _box(four_modalities, 0.5, 0.8)
    near = crop_to_roi(given, roi, WINDOW)
    assert near.grid.shape == WINDOW
    assert near.record.model_grid_shape == near.grid.size
    middle = near.grid.to_voxel(roi.centre)
    np.testing.assert_allclose(middle, (np.array(WINDOW[::-1]) - 1) / 2, atol=1.0)
    # One voxel of the head, found in both.
    point = near.grid.to_patient(np.round(middle))
    k, j, i = np.round(given.grid.to_voxel(point)).astype(int)[::-1]
    b, c, d = np.round(middle).astype(int)[::-1]
    np.testing.assert_array_equal(near.x[:, :, b, c, d], given.x[:, :, k, j, i])
    assert near.x[:, :, b, c, d].any()


def test_a_region_larger_than_the_window_is_covered(four_modalities: Study) -> None:
    roi = _box(four_modalities, -0.5, 1.5)
    near = crop_to_roi(make_network_input(four_modalities, TUMOUR.inputs, WINDOW), roi, WINDOW)
    ijk = near.grid.to_voxel(roi.corners())
    assert (ijk >= -0.5).all()
    assert (ijk <= np.array(near.grid.shape[::-1]) - 0.5).all()


def test_a_region_beside_the_head_is_refused(four_modalities: Study) -> None:
    far = Roi.from_corners(np.full(3, 500.0), np.full(3, 520.0))
    with pytest.raises(InputError, match="region of interest: lies outside of the head"):
        crop_to_roi(make_network_input(four_modalities, TUMOUR.inputs, WINDOW), far, WINDOW)


def test_a_run_in_a_region_changes_nothing_outside_of_it(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache: EngineCache
) -> None:
    pipeline = Pipeline(tiny_package, EngineChoice(backend="openvino"), engine_cache)
    whole = pipeline.run(four_modalities, RunOptions(refinement=PLAIN))
    roi = _box(four_modalities, 0.2, 0.6)
    inside = roi.mask(four_modalities.reference_grid)
    inside_only = RunOptions(refinement=PLAIN, roi=roi)
    alone = pipeline.run(four_modalities, inside_only).segmentation.labels
    assert not alone[~inside].any()
    assert alone[inside].any()
    merged = pipeline.run(four_modalities, RunOptions(refinement=PLAIN, roi=roi, base=whole.kept))
    labels = merged.segmentation.labels
    np.testing.assert_array_equal(labels[~inside], whole.segmentation.labels[~inside])
    np.testing.assert_array_equal(labels[inside], alone[inside])
