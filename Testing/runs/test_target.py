from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Grid
from BrainSegAccelLib.models.tasks import TUMOUR as TUMOUR_TASK
from BrainSegAccelLib.postprocessing.resample import resample_probabilities
from BrainSegAccelLib.preprocessing.network_input import NetworkInput, make_network_input
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision
from BrainSegAccelLib.runs.target import MODEL_GRID, locate
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from label_schemes import TUMOUR

AWAY = np.eye(4)
AWAY[:3, 3] = (4.0, -3.0, 2.0)


@pytest.fixture
def study(four_modalities: Study) -> Study:
    """FLAIR was taken after the patient had moved."""
    flair = four_modalities[Modality.FLAIR]
    return Study({**four_modalities, Modality.FLAIR: flair.moved(AWAY)})


@pytest.fixture
def seen(study: Study) -> NetworkInput:
    back = Alignment.of(Decision.REGISTERED, np.linalg.inv(AWAY), same_grid=False)
    return make_network_input(study, TUMOUR_TASK.inputs, (32, 48, 32), {Modality.FLAIR: back})


def _tumour(seen: NetworkInput) -> np.ndarray:
    probabilities = np.zeros((3, *seen.grid.shape), dtype=np.float32)
    probabilities[:, 12:20, 20:30, 10:18] = 0.9
    return probabilities


def test_reference_one_mm_and_any_other_grid_lie_in_the_place_of_the_reference(
    study: Study, seen: NetworkInput
) -> None:
    other = Grid((9, 9, 9), np.eye(4))
    assert locate(Modality.T1C, study, seen)[1].same_as(study.reference_grid)
    assert locate(MODEL_GRID, study, seen)[1].same_as(seen.grid)
    assert locate(other, study, seen)[1] is other
    for target in (Modality.T1C, Modality.T1, MODEL_GRID, other):
        assert locate(target, study, seen)[0].same_as(seen.grid)


def test_on_a_modality_that_moved_the_tumour_lies_where_its_own_header_has_it(
    study: Study, seen: NetworkInput
) -> None:
    here = resample_probabilities(_tumour(seen), TUMOUR, *locate(Modality.T1C, study, seen))
    there = resample_probabilities(_tumour(seen), TUMOUR, *locate(Modality.FLAIR, study, seen))
    # FLAIR shows the same head on the same voxels; only its header says elsewhere.
    np.testing.assert_allclose(there.values, here.values, atol=1e-5)
    assert there.box == here.box
    np.testing.assert_allclose(there.grid.origin - here.grid.origin, AWAY[:3, 3], atol=1e-9)
