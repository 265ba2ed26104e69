"""What one DICOM file says of its slices, taken from its header; no name of a person is kept."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

MR_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.4": "MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR Image Storage",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR Image Storage",
}
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_NO_AGENT = {"", "NONE", "NO", "N", "NIL", "0", "OFF", "WITHOUT", "UNKNOWN"}

_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "PatientID", "PatientName", "Modality", "SeriesNumber"),
    *("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName", "ImageType"),
    *("ScanningSequence", "EchoPulseSequence", "EchoPlanarPulseSequence"),
    *("EchoTime", "RepetitionTime", "InversionTime"),
    *("ContrastBolusAgent", "ContrastBolusAgentSequence"),
    *("TemporalPositionIdentifier", "AcquisitionNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]


@dataclass(frozen=True)
class Acquisition:
    """What tells which sequence a slice was acquired with. Times in ms, None where not told.

    :param texts: series description, protocol name; free text of the site.
    :param sequence_name: the vendor's name of the pulse sequence.
    :param echo_planar: whether it is an echo-planar sequence (diffusion, perfusion, fMRI).
    :param gradient_echo: whether its echoes are gradient echoes.
    :param contrast_agent: whether the header names a contrast agent.
    """

    texts: tuple[str, ...] = ()
    sequence_name: str = ""
    image_type: tuple[str, ...] = ()
    echo_planar: bool = False
    gradient_echo: bool = False
    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    contrast_agent: bool = False


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a slice lies.

    :param position: LPS mm of the centre of its first voxel.
    :param axes: (2, 3) directions in LPS along a row (i) and along a column (j), as written.
    :param spacing: voxel size in mm along (i, j).
    """

    position: NDArray[np.float64]
    axes: NDArray[np.float64]
    spacing: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: a single-frame file, or one frame of a multi-frame file.

    :param frame: index of the frame in its file; None for a single-frame file.
    :param patient: a digest that tells patients apart and names nobody.
    :param space: frame of reference; positions of two of them cannot be compared.
    :param shape: rows (j) and columns (i).
    :param plane: None where the header lacks it or makes no sense.
    :param time_point: temporal position and acquisition number.
    :param scale: rescale slope and intercept of a frame.
    """

    file: Path
    frame: int | None
    instance: str
    patient: str
    study: str
    series: str
    series_number: int | None
    space: str
    shape: tuple[int, int]
    grey: bool
    plane: Plane | None
    acquisition: Acquisition
    time_point: tuple[str, str]
    scale: tuple[str, str]


@dataclass(frozen=True)
class Header:
    """What kind of object a file holds.

    :param modality: e.g. MR, CT, SEG; empty for what is no image of a patient.
    :param slices: empty unless it is an MR image.
    """

    modality: str
    slices: tuple[Slice, ...]


class DamagedError(Exception):
    """A file that should be DICOM but cannot be understood."""


def read_header(file: Path) -> Header:
    """Read one file up to its voxels.

    :raises DamagedError: no DICOM, truncated, or without what every DICOM object has.
    :raises OSError: it cannot be opened.
    """
    try:
        with _quiet():
            dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=_TAGS)
            return _header(dataset, file)
    except OSError:
        raise
    except Exception as error:  # pydicom lets through whatever a damaged file provokes
        raise DamagedError(file.name) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom's warnings off: they quote values, a patient's name among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _header(dataset: Dataset, file: Path) -> Header:
    meta = getattr(dataset, "file_meta", Dataset())
    kind = _text(dataset, "SOPClassUID") or _text(meta, "MediaStorageSOPClassUID")
    if not kind:
        raise DamagedError(file.name)
    if kind == _DIRECTORY_CLASS:
        return Header("", ())
    modality = _text(dataset, "Modality")
    if kind not in MR_CLASSES:
        return Header(modality, ())
    identified = _text(dataset, "SeriesInstanceUID") and _text(dataset, "SOPInstanceUID")
    if modality != "MR" or not identified:
        raise DamagedError(file.name)
    return Header(modality, tuple(_slices(dataset, file)))


def _slices(dataset: Dataset, file: Path) -> Iterator[Slice]:
    shared = _items(dataset, "SharedFunctionalGroupsSequence") or [Dataset()]
    frames = _items(dataset, "PerFrameFunctionalGroupsSequence")
    if int(dataset.get("NumberOfFrames") or 1) != max(1, len(frames)):
        raise DamagedError(file.name)
    for index, frame in enumerate(frames or [Dataset()]):
        groups = _Groups(frame, shared[0], dataset)
        yield Slice(
            file=file,
            frame=index if frames else None,
            instance=_text(dataset, "SOPInstanceUID"),
            patient=_patient(dataset),
            study=_text(dataset, "StudyInstanceUID"),
            series=_text(dataset, "SeriesInstanceUID"),
            series_number=_whole(dataset.get("SeriesNumber")),
            space=_text(dataset, "FrameOfReferenceUID"),
            shape=(int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)),
            grey=dataset.get("SamplesPerPixel") == 1
            and _text(dataset, "PhotometricInterpretation") == "MONOCHROME2",
            plane=_plane(groups),
            acquisition=_acquisition(groups, dataset),
            time_point=(
                str(groups.value("FrameContentSequence", "TemporalPositionIndex"))
                if frames
                else _text(dataset, "TemporalPositionIdentifier"),
                _text(dataset, "AcquisitionNumber"),
            ),
            scale=(
                str(groups.value("PixelValueTransformationSequence", "RescaleSlope")),
                str(groups.value("PixelValueTransformationSequence", "RescaleIntercept")),
            ),
        )


@dataclass(frozen=True)
class _Groups:
    """Functional groups of a frame (PS3.3 C.7.6.16): its own, else shared, else a plain file's."""

    frame: Dataset
    shared: Dataset
    plain: Dataset

    def value(self, group: str, keyword: str) -> Any:
        for dataset in (self.frame, self.shared):
            items = _items(dataset, group)
            if items and keyword in items[0]:
                return items[0][keyword].value
        return self.plain.get(keyword)


def _plane(groups: _Groups) -> Plane | None:
    position = _numbers(groups.value("PlanePositionSequence", "ImagePositionPatient"), 3)
    cosines = _numbers(groups.value("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    spacing = _numbers(groups.value("PixelMeasuresSequence", "PixelSpacing"), 2)
    if position is None or cosines is None or spacing is None or not (spacing > 0).all():
        return None
    axes = cosines.reshape(2, 3)
    between_rows, between_columns = spacing
    return Plane(position, axes, (float(between_columns), float(between_rows)))


def _acquisition(groups: _Groups, dataset: Dataset) -> Acquisition:
    techniques = _texts(dataset.get("ScanningSequence"))
    frame_type = _texts(groups.value("MRImageFrameTypeSequence", "FrameType"))
    agent = _text(dataset, "ContrastBolusAgent")
    echo = groups.value("MREchoSequence", "EffectiveEchoTime")
    inversion = groups.value("MRModifierSequence", "InversionTimes")
    return Acquisition(
        texts=(_text(dataset, "SeriesDescription"), _text(dataset, "ProtocolName")),
        sequence_name=_text(dataset, "SequenceName") or _text(dataset, "PulseSequenceName"),
        image_type=frame_type or _texts(dataset.get("ImageType")),
        echo_planar="EP" in techniques or _text(dataset, "EchoPlanarPulseSequence") == "YES",
        gradient_echo=("GR" in techniques and "SE" not in techniques)
        or _text(dataset, "EchoPulseSequence") == "GRADIENT",
        echo_time=_number(dataset.get("EchoTime") if echo is None else echo),
        repetition_time=_number(
            groups.value("MRTimingAndRelatedParametersSequence", "RepetitionTime")
        ),
        inversion_time=_number(dataset.get("InversionTime") if inversion is None else inversion),
        contrast_agent=agent.upper() not in _NO_AGENT
        or bool(_items(dataset, "ContrastBolusAgentSequence")),
    )


def _patient(dataset: Dataset) -> str:
    named = _text(dataset, "PatientID") or _text(dataset, "PatientName").rstrip("^")
    return hashlib.sha256(named.casefold().encode()).hexdigest()


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    return dataset[keyword].value or [] if keyword in dataset else []


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(str(part).strip().upper() for part in parts)


def _number(value: Any) -> float | None:
    """Return a number, of several the first; None for none."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    first = _numbers(list(value)[:1] if several else [value], 1)
    return None if first is None else float(first[0])


def _whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def _numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    """Return ``count`` finite numbers, None if they are not there."""
    if value is None or isinstance(value, str) or len(value) != count or None in list(value):
        return None
    numbers = np.array([float(number) for number in value if number != ""])
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
