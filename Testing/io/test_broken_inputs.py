"""Two hundred broken inputs: each is refused in one line, or read where it truly lies.

A seed spoils one way of many. What is read may lack slices at an end, and may lie off by what a
remark states, but no voxel may come to lie elsewhere in silence.
"""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.read import read_study
from BrainSegAccelLib.io.source import open_source, remarks_of
from BrainSegAccelLib.study.modality import Modality
from dicom_phantom import PERSON, common, enhanced, head, rotation, save, slices
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage

COUNT = 200
REFUSED, STATED, READ, ANY = "refused", "stated", "read", "any"
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

Rng = np.random.Generator


@dataclass(frozen=True)
class Way:
    """One way to spoil an input.

    :param spoil: takes chance, the truth and an empty folder; returns what to read.
    :param outcome: what must come of it: refused, read with a remark, read, or any of these.
    :param same_values: whether what is read must have the values of the truth, too.
    """

    spoil: Callable[[Rng, Volume, Path], Path]
    outcome: str
    same_values: bool = True


def nifti(change: Callable[[Rng, bytearray], Any], zipped: bool = False) -> Any:
    """Return a way that changes the bytes of a NIfTI file with both forms."""

    def spoil(rng: Rng, truth: Volume, folder: Path) -> Path:
        ras = RAS_FROM_LPS @ truth.affine
        image = nib.Nifti1Image(truth.array.T.astype(np.int16), ras)
        image.set_qform(ras, code=1)
        image.set_sform(ras, code=1)
        content = bytearray(image.to_bytes())
        changed = change(rng, content)
        content = content if changed is None else changed
        path = folder / ("a.nii.gz" if zipped else "a.nii")
        path.write_bytes(content)
        return path

    return spoil


def put(layout: str, offset: int, *values: float) -> Callable[[Rng, bytearray], None]:
    return lambda _rng, content: struct.pack_into(f"<{layout}", content, offset, *values)


def move_form(rng: Rng, content: bytearray) -> None:
    """Shift one of the two forms by 1 to 40 mm."""
    offset = int(rng.choice([268, 272, 276, 292, 308, 324]))
    (value,) = struct.unpack_from("<f", content, offset)
    struct.pack_into("<f", content, offset, value + rng.choice([-1, 1]) * rng.uniform(1, 40))


def turn_qform(rng: Rng, content: bytearray) -> None:
    quaternion = rng.normal(size=4)
    quaternion /= np.linalg.norm(quaternion) * np.sign(quaternion[0])
    struct.pack_into("<3f", content, 256, *quaternion[1:])


def flip_sform(rng: Rng, content: bytearray) -> None:
    row = 280 + 16 * int(rng.integers(3))
    values = struct.unpack_from("<4f", content, row)
    struct.pack_into("<4f", content, row, *(-value for value in values))


def stretch(rng: Rng, content: bytearray) -> None:
    offset = 80 + 4 * int(rng.integers(3))
    (value,) = struct.unpack_from("<f", content, offset)
    struct.pack_into("<f", content, offset, value * rng.uniform(1.2, 4))


def cut(rng: Rng, content: bytearray) -> bytes:
    return bytes(content[: int(rng.integers(1, len(content)))])


def damage_gzip(rng: Rng, content: bytearray) -> bytes:
    packed = bytearray(gzip.compress(bytes(content)))
    packed[int(rng.integers(20, len(packed)))] ^= int(rng.integers(1, 256))
    return bytes(packed)


def noise_in_header(rng: Rng, content: bytearray) -> None:
    """Any byte but those of voxel values: dimensions, types, both forms, codes, units."""
    places = [*range(4), *range(40, 56), *range(68, 112), *range(252, 328), *range(344, 352)]
    for _ in range(int(rng.integers(1, 4))):
        content[int(rng.choice(places))] = int(rng.integers(256))


def dicom(change: Callable[[Rng, list[FileDataset]], Any]) -> Any:
    """Return a way that changes the datasets of a series before they are written."""

    def spoil(rng: Rng, truth: Volume, folder: Path) -> Path:
        datasets = slices(truth, number=4)
        changed = change(rng, datasets)
        save(datasets if changed is None else changed, folder)
        return folder

    return spoil


def dicom_files(change: Callable[[Rng, list[Path]], Any]) -> Any:
    """Return a way that changes the files of a series."""

    def spoil(rng: Rng, truth: Volume, folder: Path) -> Path:
        files = save(slices(truth), folder)
        change(rng, files)
        return folder

    return spoil


def some(rng: Rng, datasets: list[FileDataset], **tags: Any) -> None:
    """Set attributes on some of the slices, not on all."""
    count = int(rng.integers(1, len(datasets)))
    for index in rng.choice(len(datasets), count, replace=False):
        for name, value in tags.items():
            setattr(datasets[index], name, value)


def missing(rng: Rng, datasets: list[FileDataset]) -> list[FileDataset]:
    gone = rng.choice(np.arange(1, len(datasets) - 1), int(rng.integers(1, 3)), replace=False)
    return [dataset for k, dataset in enumerate(datasets) if k not in gone]


def missing_at_an_end(rng: Rng, datasets: list[FileDataset]) -> list[FileDataset]:
    count = int(rng.integers(1, 3))
    return datasets[count:] if rng.random() < 0.5 else datasets[:-count]


def numbers(rng: Rng, datasets: list[FileDataset]) -> None:
    for dataset in datasets:
        dataset.InstanceNumber = int(rng.integers(1, 5))
        dataset.SliceThickness = float(rng.uniform(0.1, 30))
        dataset.SpacingBetweenSlices = float(rng.uniform(-5, 30))


def shift(rng: Rng, datasets: list[FileDataset], low: float, high: float) -> None:
    """Move one inner slice, in any direction."""
    direction = rng.normal(size=3)
    direction *= rng.uniform(low, high) / np.linalg.norm(direction)
    dataset = datasets[int(rng.integers(1, len(datasets) - 1))]
    position = np.array([float(x) for x in dataset.ImagePositionPatient])
    dataset.ImagePositionPatient = [float(x) for x in position + direction]


def tilt(rng: Rng, datasets: list[FileDataset]) -> None:
    row = np.array([float(x) for x in datasets[0].ImageOrientationPatient[:3]])
    step = rng.uniform(0.1, 1.5)
    for k, dataset in enumerate(datasets):
        position = np.array([float(x) for x in dataset.ImagePositionPatient])
        dataset.ImagePositionPatient = [float(x) for x in position + k * step * row]


def lose(rng: Rng, datasets: list[FileDataset]) -> None:
    names = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Modality"]
    delattr(datasets[int(rng.integers(len(datasets)))], str(rng.choice(names)))


def second_volume(rng: Rng, datasets: list[FileDataset]) -> list[FileDataset]:
    truth = head(tuple(int(n) for n in (9, datasets[0].Rows, datasets[0].Columns)))
    shared = common(number=4)
    if rng.random() < 0.5:
        shared["SeriesInstanceUID"] = datasets[0].SeriesInstanceUID
    return datasets + slices(truth, **shared)


def truncate(rng: Rng, files: list[Path]) -> None:
    file = files[int(rng.integers(len(files)))]
    file = file.rename(file.with_suffix(".dcm"))
    content = file.read_bytes()
    file.write_bytes(content[: int(rng.integers(0, len(content)))])


def noise_in_file(rng: Rng, files: list[Path]) -> None:
    """Change bytes of the header of one file, after the preamble."""
    file = files[int(rng.integers(len(files)))]
    content = bytearray(file.read_bytes())
    end = content.rindex(b"\xe0\x7f\x10\x00")
    for _ in range(int(rng.integers(1, 4))):
        content[int(rng.integers(132, end))] = int(rng.integers(256))
    file.write_bytes(content)


def copies(rng: Rng, files: list[Path]) -> None:
    for index in rng.choice(len(files), 3, replace=False):
        shutil.copy(files[index], files[index].with_name(f"copy{index}"))


def multi_frame(change: Callable[[Rng, FileDataset], Any]) -> Any:
    def spoil(rng: Rng, truth: Volume, folder: Path) -> Path:
        order = [int(k) for k in rng.permutation(len(truth.array))]
        dataset = enhanced(truth, order)
        change(rng, dataset)
        save([dataset], folder)
        return folder

    return spoil


def lose_frames(rng: Rng, dataset: FileDataset) -> None:
    frames = list(dataset.PerFrameFunctionalGroupsSequence)
    dataset.PerFrameFunctionalGroupsSequence = frames[: int(rng.integers(1, len(frames)))]


def lose_position(rng: Rng, dataset: FileDataset) -> None:
    frames = dataset.PerFrameFunctionalGroupsSequence
    del frames[int(rng.integers(len(frames)))].PlanePositionSequence


def same_position(rng: Rng, dataset: FileDataset) -> None:
    one, other = rng.choice(len(dataset.PerFrameFunctionalGroupsSequence), 2, replace=False)
    frames = dataset.PerFrameFunctionalGroupsSequence
    frames[int(one)].PlanePositionSequence = frames[int(other)].PlanePositionSequence


WAYS: dict[str, Way] = {
    "forms apart": Way(nifti(move_form), REFUSED),
    "qform turned": Way(nifti(turn_qform), REFUSED),
    "sform mirrored": Way(nifti(flip_sform), REFUSED),
    "voxel size stretched": Way(nifti(stretch), REFUSED),
    "no form": Way(nifti(put("2h", 252, 0, 0)), REFUSED),
    "position is no number": Way(nifti(put("f", 292, float("nan"))), REFUSED),
    "singular sform": Way(nifti(put("4f", 280, 0, 0, 0, 0)), REFUSED),
    "zero voxel size": Way(nifti(put("3f", 80, 0, 0, 0)), REFUSED),
    "micrometres": Way(nifti(put("b", 123, 3)), REFUSED),
    "too many dimensions": Way(nifti(put("5h", 40, 4, 8, 8, 8, 2)), REFUSED),
    "negative dimension": Way(nifti(put("h", 44, -7)), REFUSED),
    "early voxels": Way(nifti(put("f", 108, 350)), REFUSED),
    "cut": Way(nifti(cut), REFUSED),
    "cut, zipped": Way(nifti(lambda r, c: cut(r, bytearray(gzip.compress(c))), True), REFUSED),
    "damaged gzip": Way(nifti(damage_gzip, zipped=True), REFUSED),
    "zipped by name only": Way(nifti(lambda _r, _c: None, zipped=True), READ),
    "noise in header": Way(nifti(noise_in_header), ANY, same_values=False),
    "missing slices": Way(dicom(missing), REFUSED),
    "missing slices at an end": Way(dicom(missing_at_an_end), READ),
    "duplicated numbers": Way(dicom(numbers), READ),
    "two at one place": Way(dicom(lambda _r, d: d + d_again(d)), REFUSED),
    "mixed patients": Way(dicom(lambda r, d: some(r, d, PatientID="OTHER")), REFUSED),
    "mixed studies": Way(dicom(lambda r, d: some(r, d, StudyInstanceUID="1.2.9")), REFUSED),
    "mixed series": Way(dicom(second_volume), REFUSED),
    "mixed orientation": Way(
        dicom(lambda r, d: some(r, d, ImageOrientationPatient=[0, 1, 0, 0, 0, 1])), REFUSED
    ),
    "mixed spaces": Way(dicom(lambda r, d: some(r, d, FrameOfReferenceUID="1.8")), REFUSED),
    "CT among MR": Way(dicom(lambda r, d: some(r, d, Modality="CT")), REFUSED),
    "all CT": Way(
        dicom(lambda _r, d: [each(x, Modality="CT", SOPClassUID=CTImageStorage) for x in d]),
        REFUSED,
    ),
    "colour": Way(
        dicom(lambda _r, d: [each(x, PhotometricInterpretation="RGB") for x in d]), REFUSED
    ),
    "lost attribute": Way(dicom(lose), REFUSED),
    "sheared axes": Way(
        dicom(lambda _r, d: [each(x, ImageOrientationPatient=[1, 0, 0, 0.6, 0.8, 0]) for x in d]),
        REFUSED,
    ),
    "slightly uneven": Way(dicom(lambda r, d: shift(r, d, 0.05, 0.12)), STATED),
    "uneven": Way(dicom(lambda r, d: shift(r, d, 0.4, 1.2)), REFUSED),
    "gantry tilt": Way(dicom(tilt), REFUSED),
    "truncated file": Way(dicom_files(truncate), REFUSED),
    "copies": Way(dicom_files(copies), STATED),
    "noise in a file": Way(dicom_files(noise_in_file), ANY, same_values=False),
    "multi-frame, shuffled": Way(multi_frame(lambda _r, _d: None), READ),
    "multi-frame, lost frames": Way(multi_frame(lose_frames), REFUSED),
    "multi-frame, lost position": Way(multi_frame(lose_position), REFUSED),
    "multi-frame, two at one place": Way(multi_frame(same_position), REFUSED),
}


def each(dataset: FileDataset, **tags: Any) -> FileDataset:
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def d_again(datasets: list[FileDataset]) -> list[FileDataset]:
    """Return the same images under other identifiers."""
    shared = {"SeriesInstanceUID": datasets[0].SeriesInstanceUID}
    truth = head((len(datasets), datasets[0].Rows, datasets[0].Columns))
    again = slices(truth, **common(number=4, **shared))
    for dataset, first in zip(again, datasets, strict=True):
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            setattr(dataset, name, getattr(first, name))
    return again


def truth_of(rng: Rng, seed: int) -> Volume:
    shape = tuple(int(n) for n in rng.integers((9, 26, 22), (13, 32, 28)))
    spacing = tuple(float(x) for x in rng.uniform((1.0, 1.0, 2.5), (1.4, 1.4, 3.5)))
    return head(shape, spacing, rotation(seed), seed)  # type: ignore[arg-type]


def check_truth(found: Volume, truth: Volume, same_values: bool) -> None:
    """Check that every voxel lies, within 0.3 mm, where the truth has it."""
    k, j, i = found.array.shape
    corners = np.array([[x, y, z] for x in (0, i - 1) for y in (0, j - 1) for z in (0, k - 1)])
    index = truth.grid.to_voxel(found.grid.to_patient(corners.astype(float)))
    first = np.rint(index[0]).astype(int)
    off = (index - (first + corners)) * truth.grid.spacing
    assert np.linalg.norm(off, axis=1).max() < 0.3
    part = truth.array[first[2] :, first[1] :, first[0] :][:k, :j, :i]
    assert part.shape == found.array.shape
    if same_values:
        np.testing.assert_array_equal(found.array, part)


def read(path: Path) -> tuple[Volume, tuple[str, ...]] | InputError:
    try:
        source = open_source(path)
        return read_study({Modality.T1: source})[Modality.T1], remarks_of(source)
    except InputError as error:
        return error


@pytest.mark.parametrize("seed", range(COUNT))
def test_refused_or_read_where_it_truly_lies(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    names = list(WAYS)
    name, rng = names[seed % len(names)], np.random.default_rng(seed)
    way, truth = WAYS[name], truth_of(rng, seed)
    result = read(way.spoil(rng, truth, tmp_path))
    assert capfd.readouterr() == ("", "")
    if isinstance(result, InputError):
        message = str(result)
        assert way.outcome in (REFUSED, ANY), message
        assert message.startswith((str(tmp_path), "a.nii"))
        assert "\n" not in message
        assert not [value for value in PERSON.values() if value in message]
    else:
        assert way.outcome != REFUSED, f"{name} was read"
        found, remarks = result
        assert bool(remarks) == (way.outcome == STATED) or way.outcome == ANY
        check_truth(found, truth, way.same_values)
