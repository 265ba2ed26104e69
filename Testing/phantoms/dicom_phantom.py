"""DICOM as a scanner would send it: series and studies of synthetic heads, to be read or spoilt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.study.modality import Modality
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

PERSON = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "MRN-4711-0815",
    "PatientBirthDate": "19570823",
    "AccessionNumber": "ACC-990017",
    "ReferringPhysicianName": "Quincy^House",
    "InstitutionName": "Charity Hospital Springfield",
}
"""What must not appear anywhere but in DICOM files."""

TIMES: dict[Modality, dict[str, Any]] = {
    Modality.T1: {"EchoTime": 9, "RepetitionTime": 500, "ScanningSequence": "SE"},
    Modality.T1C: {"EchoTime": 9, "RepetitionTime": 500, "ScanningSequence": "SE"},
    Modality.T2: {"EchoTime": 100, "RepetitionTime": 4500, "ScanningSequence": "SE"},
    Modality.FLAIR: {
        **{"EchoTime": 120, "RepetitionTime": 9000, "InversionTime": 2500},
        "ScanningSequence": ["SE", "IR"],
    },
}
"""Echo, repetition and inversion times in ms of the four sequences."""


def head(
    shape: tuple[int, int, int] = (12, 28, 24),
    spacing: tuple[float, float, float] = (1.25, 1.5, 3.0),
    rotation: np.ndarray | None = None,
    seed: int = 0,
) -> Volume:
    """Return whole numbers from 0 to 999 on an ellipsoid, nothing around it.

    :param shape: (k, j, i).
    :param spacing: (i, j, k) in mm.
    :param rotation: 3x3, columns are the directions of i, j, k in LPS; default: along the axes.
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 1.0
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) * spacing
    affine[:3, 3] = (-15.0, -20.0, -18.0)
    return Volume(np.where(inside, rng.integers(100, 1000, shape), 0), affine, "phantom")


def rotation(seed: int) -> np.ndarray:
    """Return a random right-handed rotation, 3x3."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix * [1.0, 1.0, np.sign(np.linalg.det(matrix))]


def common(number: int = 1, study: str = "1.2.840.1", **tags: Any) -> dict[str, Any]:
    """Return the attributes that all slices of one series share, of no sequence in particular."""
    return {
        **PERSON,
        "Modality": "MR",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": f"{study}.1",
        "StudyDate": "20240102",
        "StudyTime": "101112",
        "StudyID": "1",
        "PatientSex": "F",
        "Manufacturer": "Phantom",
        "SeriesNumber": number,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        **tags,
    }


def slices(volume: Volume, **tags: Any) -> list[FileDataset]:
    """Return one dataset a slice, in the order of the third axis, with instance numbers from 1.

    :param tags: attributes of `common`, and others to set on every slice.
    """
    tags = common(**tags)
    made = []
    for k, (plane, attributes) in enumerate(zip(volume.array, _planes(volume), strict=True)):
        dataset = _file(MRImageStorage, plane[None], tags, InstanceNumber=k + 1, **attributes)
        made.append(dataset)
    return made


def enhanced(volume: Volume, order: Iterable[int] | None = None, **tags: Any) -> FileDataset:
    """Return one multi-frame dataset.

    :param order: the slice shown by each frame; default: in order.
    """
    times = {key: tags.pop(key, None) for key in ("EchoTime", "RepetitionTime", "InversionTime")}
    tags.pop("ScanningSequence", None)
    tags = common(**tags)
    frames = list(order) if order is not None else list(range(len(volume.array)))
    planes = _planes(volume)
    shared = Dataset()
    shared.PlaneOrientationSequence = [
        _dataset(ImageOrientationPatient=planes[0]["ImageOrientationPatient"])
    ]
    shared.PixelMeasuresSequence = [
        _dataset(PixelSpacing=planes[0]["PixelSpacing"], SliceThickness=1.0)
    ]
    if times["EchoTime"] is not None:
        shared.MREchoSequence = [_dataset(EffectiveEchoTime=float(times["EchoTime"]))]
        shared.MRTimingAndRelatedParametersSequence = [
            _dataset(RepetitionTime=float(times["RepetitionTime"]))
        ]
    if times["InversionTime"] is not None:
        shared.MRModifierSequence = [_dataset(InversionTimes=[float(times["InversionTime"])])]
    dataset = _file(
        *(EnhancedMRImageStorage, volume.array[frames], tags),
        InstanceNumber=1,
        NumberOfFrames=len(frames),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[
            _dataset(
                FrameContentSequence=[_dataset(DimensionIndexValues=[1, k + 1])],
                PlanePositionSequence=[
                    _dataset(ImagePositionPatient=planes[k]["ImagePositionPatient"])
                ],
            )
            for k in frames
        ],
    )
    return dataset


def save(datasets: Iterable[FileDataset], folder: Path, prefix: str = "IM") -> list[Path]:
    """Write one file a dataset; the order of the names is not that of the slices."""
    datasets = list(datasets)
    folder.mkdir(parents=True, exist_ok=True)
    names = np.random.default_rng(3).permutation(len(datasets))
    files = [folder / f"{prefix}{number:04d}" for number in names]
    for file, dataset in zip(files, datasets, strict=True):
        dataset.save_as(file, enforce_file_format=True)
    return files


def save_series(folder: Path, volume: Volume, prefix: str = "IM", **tags: Any) -> list[Path]:
    """Write a series of single-frame files."""
    return save(slices(volume, **tags), folder, prefix)


def save_study(folder: Path, volume: Volume | None = None, nested: bool = False) -> None:
    """Write the four sequences and a localiser, flat or a folder for each series."""
    names = {
        Modality.T1: "AX T1 SE",
        Modality.T1C: "AX T1 SE +C",
        Modality.T2: "AX T2 TSE",
        Modality.FLAIR: "AX FLAIR",
    }
    for number, (modality, name) in enumerate(names.items(), start=2):
        where = folder / f"S{number}" if nested else folder
        contrast = {"ContrastBolusAgent": "Gadovist"} if modality is Modality.T1C else {}
        shown = head(seed=number) if volume is None else volume
        save_series(
            *(where, shown, f"S{number}_"),
            **{"number": number, "SeriesDescription": name, **TIMES[modality], **contrast},
        )
    localiser = {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "SeriesDescription": "3-plane loc",
    }
    for turn in range(3):
        axes = np.roll(np.eye(3), turn, axis=1)
        planes = head((1, 28, 24), (1.25, 1.5, 9.0), axes)
        save_series(folder / "S1" if nested else folder, planes, f"L{turn}_", number=1, **localiser)


def _planes(volume: Volume) -> list[dict[str, Any]]:
    grid = volume.grid
    i, j, _ = grid.spacing
    cosines = [float(x) for x in grid.direction[:, :2].T.ravel()]
    return [
        {
            "ImagePositionPatient": [float(x) for x in grid.to_patient(np.array([0, 0, k]))],
            "ImageOrientationPatient": cosines,
            "PixelSpacing": [j, i],
        }
        for k in range(len(volume.array))
    ]


def _file(kind: str, frames: np.ndarray, tags: dict[str, Any], **attributes: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    _, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.SliceThickness = 1, 1.0
    dataset.PixelData = frames.astype("<i2").tobytes()
    for name, value in {**attributes, **tags}.items():
        setattr(dataset, name, value)
    return dataset


def _dataset(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset
