"""DICOM SEG, read back by another reader: labels, geometry, codes, references, patient."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Grid, Volume
from BrainSegAccelLib.io.dicom.grouping import groups_of
from BrainSegAccelLib.io.dicom.scan import scan
from BrainSegAccelLib.io.dicom.segmentation import Origin, check_source, write_segmentation_dicom
from BrainSegAccelLib.io.dicom.sort import series_in
from BrainSegAccelLib.io.dicom.stack import Stack, stack_of
from BrainSegAccelLib.io.write import write_segmentation
from BrainSegAccelLib.study.label_scheme import Region
from BrainSegAccelLib.study.segmentation import Segmentation
from dicom_phantom import PERSON, enhanced, head, rotation, save, save_series, slices
from label_schemes import TUMOUR, label
from label_schemes import scheme as scheme_of
from pydicom import dcmread
from pydicom.dataset import Dataset

highdicom = pytest.importorskip("highdicom")


def blobs(grid: Grid, seed: int = 0) -> Segmentation:
    """Labels 0 to 3 in random blocks; the outermost planes stay empty."""
    labels = np.random.default_rng(seed).integers(0, 4, grid.shape).astype(np.uint8)
    labels[[0, -1]] = 0
    return Segmentation(labels, grid, TUMOUR.scheme)


def write(stack: Stack, segmentation: Segmentation, path: Path) -> Path:
    write_segmentation(segmentation, path, Origin(stack, ("tiny", "1"), {"weights_sha256": "ab"}))
    return path


def read_back(path: Path, truth: Volume) -> None:
    """Check labels and geometry with highdicom's reader, point by point in patient space.

    Its volumes may run the other way along any axis; their affine maps (k, j, i) to LPS.
    """
    segmentation = blobs(truth.grid)
    found = highdicom.seg.segread(path).get_volume(combine_segments=True)
    kji = np.argwhere(segmentation.labels)
    points = truth.grid.to_patient(kji[:, ::-1])
    index = np.c_[points, np.ones(len(points))] @ np.linalg.inv(found.affine).T
    rounded = np.rint(index[:, :3]).astype(int)
    np.testing.assert_allclose(index[:, :3], rounded, atol=1e-3)
    np.testing.assert_array_equal(found.array[tuple(rounded.T)], segmentation.labels[tuple(kji.T)])
    assert np.count_nonzero(found.array) == len(points)


@pytest.mark.parametrize("multi_frame", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_round_trip(tmp_path: Path, multi_frame: bool, seed: int) -> None:
    truth = head(rotation=rotation(seed))
    if multi_frame:
        order = np.random.default_rng(seed).permutation(len(truth.array))
        save([enhanced(truth, [int(k) for k in order])], tmp_path / "s")
    else:
        save_series(tmp_path / "s", truth)
    stack = series_in(tmp_path / "s")
    read_back(write(stack, blobs(stack.grid), tmp_path / "x.dcm"), truth)


def test_one_of_two_echoes_in_a_file_whose_frames_share_nothing(tmp_path: Path) -> None:
    """Some scanners repeat orientation and voxel size in every frame."""
    truth = head(rotation=rotation(2))
    dataset = enhanced(truth, [*range(12), *range(12)])
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + index // 12
        frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
        frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
    dataset.SharedFunctionalGroupsSequence = [Dataset()]
    save([dataset], tmp_path / "s")
    second = stack_of(groups_of(scan(tmp_path / "s", below=False)[0])[1])
    assert [one.frame for one in second.slices] == list(range(12, 24))
    read_back(write(second, blobs(second.grid), tmp_path / "x.dcm"), truth)


def test_directions_that_differ_in_the_last_digit(tmp_path: Path) -> None:
    truth = head(rotation=rotation(3))
    datasets = slices(truth)
    for dataset in datasets[::2]:
        dataset.ImageOrientationPatient = [float(x) + 1e-7 for x in dataset.ImageOrientationPatient]
    save(datasets, tmp_path / "s")
    stack = series_in(tmp_path / "s")
    read_back(write(stack, blobs(stack.grid), tmp_path / "x.dcm"), truth)


def test_what_it_says(tmp_path: Path) -> None:
    save_series(tmp_path / "s", head(), number=7)
    stack = series_in(tmp_path / "s")
    found = dcmread(write(stack, blobs(stack.grid), tmp_path / "x.dcm"))
    source = dcmread(stack.files[0])
    assert found.SOPClassUID.name == "Segmentation Storage"
    assert found.SegmentationType == "BINARY"
    assert found.SeriesNumber == 9007
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert found[keyword].value == source[keyword].value
    assert found.PatientName == PERSON["PatientName"]
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    (series,) = found.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    referred = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    assert referred == {one.instance for one in stack.slices}
    for segment, item in zip(TUMOUR.scheme.labels, found.SegmentSequence, strict=True):
        assert (item.SegmentNumber, item.SegmentLabel) == (segment.value, segment.name)
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        (kind,) = item.SegmentedPropertyTypeCodeSequence
        assert kind.CodeValue == segment.code.value
        assert kind.CodingSchemeDesignator == segment.code.scheme
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
        assert item.AnatomicRegionSequence[0].CodeValue == "12738006"
        (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmName == "BrainSegAccel tiny"
        assert algorithm.AlgorithmParameters == "weights_sha256=ab"
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"


def test_labels_that_are_not_numbered_from_one(tmp_path: Path) -> None:
    """Segments of DICOM SEG are numbered without gaps, whatever the values of the labels."""
    labels_ = (label(40, "second", "Second"), label(7, "first", "First"))
    region = Region(identifier="both", name="both", labels=(7, 40))
    scheme = scheme_of(labels_, (region,))
    save_series(tmp_path / "s", head())
    stack = series_in(tmp_path / "s")
    labels = np.zeros(stack.grid.shape, np.uint8)
    labels[1, 2:4, 3], labels[2, 5, 6:9] = 7, 40
    found = highdicom.seg.segread(
        write(stack, Segmentation(labels, stack.grid, scheme), tmp_path / "x.dcm")
    )
    shown = {item.SegmentLabel: item.SegmentNumber for item in found.SegmentSequence}
    assert shown == {"Second": 1, "First": 2}
    volume = found.get_volume(combine_segments=True).array
    assert [np.count_nonzero(volume == number) for number in (1, 2)] == [3, 2]


def test_no_tumour_at_all(tmp_path: Path) -> None:
    save_series(tmp_path / "s", head())
    stack = series_in(tmp_path / "s")
    empty = Segmentation(np.zeros(stack.grid.shape, np.uint8), stack.grid, TUMOUR.scheme)
    found = highdicom.seg.segread(write(stack, empty, tmp_path / "x.dcm"))
    assert found.number_of_segments == 3
    assert not found.pixel_array.any()


def test_a_series_without_its_patient(tmp_path: Path) -> None:
    """Anonymisers take out what the standard asks for."""
    files = save_series(tmp_path / "s", head())
    for file in files:
        dataset = dcmread(file)
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyTime"):
            del dataset[keyword]
        dataset.save_as(file)
    stack = series_in(tmp_path / "s")
    read_back(write(stack, blobs(stack.grid), tmp_path / "x.dcm"), head())


def test_labels_on_another_grid_are_refused(tmp_path: Path) -> None:
    save_series(tmp_path / "s", head())
    stack = series_in(tmp_path / "s")
    moved = stack.grid.affine.copy()
    moved[0, 3] += 1.0
    elsewhere = blobs(Grid(stack.grid.shape, moved))
    with pytest.raises(InputError, match="labels lie on another"):
        write_segmentation_dicom(elsewhere, tmp_path / "x.dcm", Origin(stack, ("a", "1")))
    with pytest.raises(InputError, match="refers to a DICOM series"):
        write_segmentation(elsewhere, tmp_path / "x.dcm")
    assert not list(tmp_path.glob("*.dcm"))


def test_a_volume_of_several_multi_frame_files_is_refused(tmp_path: Path) -> None:
    save([enhanced(head())], tmp_path / "s")
    stack = series_in(tmp_path / "s")
    check_source(stack)
    other = replace(stack.slices[0], file=tmp_path / "other")
    with pytest.raises(InputError, match="several multi-frame files"):
        check_source(replace(stack, slices=(other, *stack.slices[1:])))


def test_it_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys; import BrainSegAccelLib.runs.files; sys.exit('highdicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
