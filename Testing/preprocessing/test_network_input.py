from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.preprocessing.network_input import prepare
from BrainSegAccelLib.study import Study
from BrainSegAccelLib.volume import Volume


def test_a_small_head_is_centred_and_padded_to_the_static_shape(four_modalities: Study) -> None:
    seen = prepare(four_modalities, (32, 48, 32))
    assert seen.x.shape == (1, 4, 32, 48, 32)
    assert seen.availability.tolist() == [[1, 1, 1, 1]]
    assert not any(seen.record.resampled.values())
    inside = np.argwhere(seen.x[0, 0])
    before, after = inside.min(axis=0), np.array([31, 47, 31]) - inside.max(axis=0)
    assert np.abs(before - after).max() <= 1


def test_voxels_keep_their_place_in_patient_space(four_modalities: Study) -> None:
    seen = prepare(four_modalities, (32, 48, 32))
    reference = four_modalities[Modality.T1C]
    k, j, i = np.unravel_index(seen.x[0, 1].argmax(), seen.grid.shape)
    there = reference.grid.to_voxel(seen.grid.to_patient(np.array([i, j, k], dtype=float)))
    ri, rj, rk = np.rint(there).astype(int)
    np.testing.assert_allclose(there, (ri, rj, rk), atol=1e-6)
    clipped = np.percentile(reference.array[reference.array > 0], 99.5)
    assert reference.array[rk, rj, ri] >= clipped - 1e-3


@pytest.mark.parametrize("missing", list(Modality))
def test_a_missing_modality_is_a_zero_channel(four_modalities: Study, missing: Modality) -> None:
    rest = Study({m: v for m, v in four_modalities.items() if m is not missing})
    seen = prepare(rest, (32, 48, 32))
    assert seen.availability[0, missing.channel] == 0
    assert seen.availability.sum() == 3
    assert not seen.x[0, missing.channel].any()


def test_a_large_head_keeps_its_size(four_modalities: Study) -> None:
    seen = prepare(four_modalities, (16, 48, 16))
    assert seen.x.shape[2] > 16
    assert seen.x.shape[3] == 48
    assert seen.x.shape[4] > 16


def test_other_grids_are_resampled_through_physical_space(four_modalities: Study) -> None:
    flair = four_modalities[Modality.FLAIR]
    coarse = Volume(
        flair.array[::2, ::2, ::2], flair.affine @ np.diag([2.0, 2.0, 2.0, 1.0]), "coarse"
    )
    mixed = Study({**four_modalities, Modality.FLAIR: coarse})
    seen = prepare(mixed, (32, 48, 32))
    assert seen.record.resampled[Modality.FLAIR]
    assert not seen.record.resampled[Modality.T1C]
    whole = prepare(four_modalities, (32, 48, 32))
    centre = (slice(8, 24), slice(14, 34), slice(8, 24))
    one, other = seen.x[0, 3][centre], whole.x[0, 3][centre]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
