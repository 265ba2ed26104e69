"""One series, read with its values and its true geometry, however its files lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.read import read_volume
from BrainSegAccelLib.io.source import open_source, remarks_of
from dicom_phantom import enhanced, head, rotation, save, save_series, slices
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless


def same(found: Volume, truth: Volume) -> None:
    np.testing.assert_array_equal(found.array, truth.array)
    assert found.grid.same_as(truth.grid, tolerance_mm=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("multi_frame", [False, True])
def test_oblique_volumes_in_any_order_of_files_and_frames(
    tmp_path: Path, seed: int, multi_frame: bool
) -> None:
    truth = head(rotation=rotation(seed), seed=seed)
    if multi_frame:
        order = np.random.default_rng(seed).permutation(len(truth.array))
        save([enhanced(truth, [int(k) for k in order])], tmp_path)
    else:
        save_series(tmp_path, truth)
    same(read_volume(tmp_path), truth)
    assert remarks_of(open_source(tmp_path)) == ()


def test_slices_that_run_the_other_way_make_the_grid_right_handed(tmp_path: Path) -> None:
    flipped = head(rotation=np.diag([1.0, 1.0, -1.0]))
    found = read_volume(save_series(tmp_path, flipped)[0].parent)
    np.testing.assert_array_equal(found.array, flipped.array[::-1])
    assert np.linalg.det(found.affine[:3, :3]) > 0
    np.testing.assert_allclose(found.grid.corners().min(0), flipped.grid.corners().min(0))


@pytest.mark.parametrize("multi_frame", [False, True])
def test_rescale_slope(tmp_path: Path, multi_frame: bool) -> None:
    truth = head()
    if multi_frame:
        dataset = enhanced(truth)
        scale = Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 2.5, -10, "US"
        dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = [scale]
        save([dataset], tmp_path)
    else:
        save_series(tmp_path, truth, RescaleSlope=2.5, RescaleIntercept=-10)
    np.testing.assert_allclose(read_volume(tmp_path).array, truth.array * 2.5 - 10)


def test_every_slice_has_its_own_rescale_slope(tmp_path: Path) -> None:
    truth, datasets = head(), []
    for k, dataset in enumerate(slices(truth)):
        dataset.RescaleSlope, dataset.RescaleIntercept = 1 + k, -k
        datasets.append(dataset)
    save(datasets, tmp_path)
    k = np.arange(len(truth.array))[:, None, None]
    np.testing.assert_allclose(read_volume(tmp_path).array, truth.array * (1 + k) - k)


def test_frames_that_are_scaled_differently_are_refused(tmp_path: Path) -> None:
    """GDCM would return them unscaled."""
    dataset = enhanced(head())
    for k, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        scale = Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 1 + k, 0, "US"
        frame.PixelValueTransformationSequence = [scale]
    save([dataset], tmp_path)
    with pytest.raises(InputError, match="frames are scaled differently"):
        read_volume(tmp_path)


@pytest.mark.parametrize("multi_frame", [False, True])
def test_compressed_files(tmp_path: Path, multi_frame: bool) -> None:
    truth = head(seed=3)
    for dataset in (datasets := [enhanced(truth)] if multi_frame else slices(truth)):
        dataset.compress(RLELossless)
    save(datasets, tmp_path)
    same(read_volume(tmp_path), truth)


def test_a_file_stands_for_its_series(tmp_path: Path) -> None:
    one, other = head(seed=1), head(seed=2)
    file = save_series(tmp_path, one, "A", number=1)[5]
    save_series(tmp_path, other, "B", number=2)
    same(read_volume(file), one)
    with pytest.raises(InputError, match="DICOM files of 2 series"):
        read_volume(tmp_path)


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    truth = head()
    save_series(tmp_path, truth)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "DICOMDIR").write_bytes(b"")
    save_series(tmp_path / "sub", head(seed=5))
    same(read_volume(tmp_path), truth)


@pytest.mark.parametrize("keep", [0, 200, 700, -1, -300])
@pytest.mark.parametrize("index", [0, 4, 11])
def test_a_damaged_slice_is_not_left_out_in_silence(tmp_path: Path, index: int, keep: int) -> None:
    """At either end that would only shorten the volume."""
    file = save([*slices(head())], tmp_path, "IM")[index]
    file = file.rename(file.with_suffix(".dcm"))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"damaged|position") as error:
        read_volume(tmp_path)
    assert "\n" not in str(error.value)


def test_an_image_that_is_not_what_its_header_says(tmp_path: Path) -> None:
    dataset = enhanced(head())
    dataset.NumberOfFrames = 11
    save([dataset], tmp_path)
    with pytest.raises(InputError, match="1 damaged DICOM files"):
        read_volume(tmp_path)
