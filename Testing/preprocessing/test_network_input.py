from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.models.tasks import TUMOUR
from BrainSegAccelLib.preprocessing.network_input import make_network_input
from BrainSegAccelLib.preprocessing.registration.evidence import Alignment, Decision
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study


def test_a_small_head_is_centred_and_padded_to_the_static_shape(four_modalities: Study) -> None:
    given = make_network_input(four_modalities, TUMOUR.inputs, (32, 48, 32))
    assert given.x.shape == (1, 4, 32, 48, 32)
    assert given.availability.tolist() == [[1, 1, 1, 1]]
    assert not any(given.record.resampled.values())
    inside = np.argwhere(given.x[0, 0])
    before, after = inside.min(axis=0), np.array([31, 47, 31]) - inside.max(axis=0)
    assert np.abs(before - after).max() <= 1


def test_voxels_keep_their_place_in_patient_space(four_modalities: Study) -> None:
    given = make_network_input(four_modalities, TUMOUR.inputs, (32, 48, 32))
    reference = four_modalities[Modality.T1C]
    k, j, i = np.unravel_index(given.x[0, 1].argmax(), given.grid.shape)
    there = reference.grid.to_voxel(given.grid.to_patient(np.array([i, j, k], dtype=float)))
    ri, rj, rk = np.rint(there).astype(int)
    np.testing.assert_allclose(there, (ri, rj, rk), atol=1e-6)
    clipped = np.percentile(reference.array[reference.array > 0], 99.5)
    assert reference.array[rk, rj, ri] >= clipped - 1e-3


@pytest.mark.parametrize("missing", list(Modality))
def test_a_missing_modality_is_a_zero_channel(four_modalities: Study, missing: Modality) -> None:
    rest = Study({m: v for m, v in four_modalities.items() if m is not missing})
    given = make_network_input(rest, TUMOUR.inputs, (32, 48, 32))
    assert given.availability[0, missing.channel] == 0
    assert given.availability.sum() == 3
    assert not given.x[0, missing.channel].any()


def test_a_large_head_keeps_its_size(four_modalities: Study) -> None:
    given = make_network_input(four_modalities, TUMOUR.inputs, (16, 48, 16))
    assert given.x.shape[2] > 16
    assert given.x.shape[3] == 48
    assert given.x.shape[4] > 16


def test_other_grids_are_resampled_through_physical_space(four_modalities: Study) -> None:
    flair = four_modalities[Modality.FLAIR]
    coarse = Volume(
        flair.array[::2, ::2, ::2], flair.affine @ np.diag([2.0, 2.0, 2.0, 1.0]), "coarse"
    )
    mixed = Study({**four_modalities, Modality.FLAIR: coarse})
    given = make_network_input(mixed, TUMOUR.inputs, (32, 48, 32))
    assert given.record.resampled[Modality.FLAIR]
    assert not given.record.resampled[Modality.T1C]
    whole = make_network_input(four_modalities, TUMOUR.inputs, (32, 48, 32))
    centre = (slice(8, 24), slice(14, 34), slice(8, 24))
    one, other = given.x[0, 3][centre], whole.x[0, 3][centre]
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def _cut(volume: Volume, slices: int, masked: bool) -> Volume:
    """The volume without its lowest slices: not scanned, or filled with zeros."""
    if masked:
        array = volume.array.copy()
        array[:slices] = 0.0
        return Volume(array, volume.affine, "cut")
    shift = np.eye(4)
    shift[2, 3] = slices
    return Volume(volume.array[slices:], volume.affine @ shift, "cut")


@pytest.mark.parametrize("masked", [False, True])
def test_a_smaller_field_of_view_does_not_change_the_scale(
    four_modalities: Study, masked: bool
) -> None:
    flair = four_modalities[Modality.FLAIR]
    cut = Study({**four_modalities, Modality.FLAIR: _cut(flair, 8, masked)})
    given, whole = (
        make_network_input(cut, TUMOUR.inputs, (32, 48, 32)),
        make_network_input(four_modalities, TUMOUR.inputs, (32, 48, 32)),
    )
    both = (given.x[0, 3] != 0) & (whole.x[0, 3] != 0)
    # The scale is now that of the part that is shown; zeros would have moved it by far more.
    np.testing.assert_allclose(given.x[0, 3][both], whole.x[0, 3][both], atol=0.5)
    shown = given.x[0, 3][given.x[0, 3] != 0]
    assert abs(shown.mean()) < 0.02
    assert shown.std() == pytest.approx(1.0, abs=0.02)
    assert given.record.coverage[Modality.FLAIR] == pytest.approx(0.8, abs=0.08)
    assert given.record.coverage[Modality.T1C] == pytest.approx(1.0)


def test_a_modality_that_was_registered_is_moved_and_interpolated_once(
    four_modalities: Study,
) -> None:
    flair = four_modalities[Modality.FLAIR]
    away = np.eye(4)
    away[:3, 3] = (3.0, -2.0, 1.0)
    moved = Study({**four_modalities, Modality.FLAIR: flair.moved(away)})
    back = Alignment.of(Decision.REGISTERED, np.linalg.inv(away), same_grid=False)
    given = make_network_input(moved, TUMOUR.inputs, (32, 48, 32), {Modality.FLAIR: back})
    expected = make_network_input(four_modalities, TUMOUR.inputs, (32, 48, 32))
    # A whole-voxel shift that is undone is a copy: not one value was interpolated.
    np.testing.assert_array_equal(given.x, expected.x)
    assert not given.record.resampled[Modality.FLAIR]
    assert given.record.alignment[Modality.FLAIR] is back
