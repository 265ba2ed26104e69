"""DICOM SEG: the segmentation as an archive takes it, beside the series that it was drawn on.

Segmentation IOD, PS3.3 A.51, as highdicom writes it. Patient and study are those of the source
series, as they have to be; what this library adds names the algorithm and no person.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from ... import __version__
from ...errors import InputError, UnavailableError
from ...study.label_scheme import Code, Label, LabelScheme
from ...study.segmentation import Segmentation
from .stack import Stack

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SERIES_NUMBER_OFFSET = 9000
"""Added to the number of the source series: high enough to come after what a scanner makes."""

_SOFTWARE = "BrainSegAccel"
_FAMILY = Code(scheme="DCM", value="123110", meaning="Artificial Intelligence")
_REQUIRED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber"),
)
"""Attributes that must be there but may be empty, and that anonymisers take out."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a DICOM SEG says beside the labels.

    :param source: the series that the labels lie on.
    :param model: name and version of the model.
    :param parameters: what the run was made with, as text.
    """

    source: Stack
    model: tuple[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


def check_source(stack: Stack) -> None:
    """Refuse what `write_segmentation_dicom` could not refer to, before the run.

    :raises UnavailableError: highdicom is not installed.
    :raises InputError: a volume of several multi-frame files.
    """
    if find_spec("highdicom") is None:
        raise UnavailableError(
            "DICOM SEG needs the Python package highdicom",
            remedy="pip install 'brainsegaccel[dicom]'",
        )
    if stack.slices[0].frame is not None and len(stack.files) > 1:
        raise InputError(
            "DICOM SEG cannot refer to a volume of several multi-frame files",
            where=stack.where,
            remedy="write .seg.nrrd, .nii.gz or .nrrd",
        )


def write_segmentation_dicom(segmentation: Segmentation, path: Path, origin: Origin) -> None:
    """Write a segment for every label, empty ones included, as one binary DICOM SEG.

    :raises InputError: the labels do not lie on the source's grid.
    """
    stack = origin.source
    if not segmentation.grid.same_as(stack.grid):
        raise InputError(
            "DICOM SEG lies on the grid of its source series, and the labels lie on another",
            where=stack.where,
            remedy="write .seg.nrrd, .nii.gz or .nrrd",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's quote values of the patient
        _dataset(segmentation, origin).save_as(path)


def _dataset(segmentation: Segmentation, origin: Origin) -> Dataset:
    from highdicom import PlanePositionSequence
    from highdicom.seg import Segmentation as DicomSegmentation
    from highdicom.seg import SegmentationTypeValues

    stack = origin.source
    name, version = origin.model
    return DicomSegmentation(
        source_images=_sources(stack),
        pixel_array=_numbered(segmentation),
        plane_positions=[
            PlanePositionSequence("PATIENT", one.plane.position.tolist())
            for one in stack.slices
            if one.plane
        ],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(label, number, segmentation.scheme, origin)
            for number, label in enumerate(segmentation.scheme.labels, 1)
        ],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER_OFFSET + (stack.slices[0].series_number or 0),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=_SOFTWARE,
        manufacturer_model_name=f"{name} {version}",
        software_versions=__version__,
        device_serial_number=origin.parameters.get("weights_sha256", "none")[:16],
        content_label="BRAIN_TUMOUR",
        content_description="Brain tumour; research use, not for diagnosis",
        series_description=f"{_SOFTWARE} brain tumour",
    )


def _numbered(segmentation: Segmentation) -> NDArray[np.uint8]:
    """Return the label map with labels numbered from 1 in the scheme's order, as segments are."""
    numbers = np.zeros(256, dtype=np.uint8)
    for number, label in enumerate(segmentation.scheme.labels, 1):
        numbers[label.value] = number
    return numbers[segmentation.labels]


def _sources(stack: Stack) -> list[Dataset]:
    """Return the headers of the source, orientation and voxel size where highdicom looks for them.

    It wants them the same to the last digit in every file, and shared by all frames.
    """
    datasets: list[Dataset] = [dcmread(file, stop_before_pixels=True) for file in stack.files]
    plane = stack.slices[0].plane
    assert plane is not None
    cosines = plane.axes.ravel().tolist()
    between_columns, between_rows = plane.spacing
    for dataset in datasets:
        for keyword in _REQUIRED:
            if keyword not in dataset:
                setattr(dataset, keyword, "")
        if stack.slices[0].frame is None:
            dataset.ImageOrientationPatient = cosines
            continue
        orientation, measures = Dataset(), Dataset()
        orientation.ImageOrientationPatient = cosines
        measures.PixelSpacing = [between_rows, between_columns]
        measures.SliceThickness = stack.grid.spacing[2]
        shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
        shared[0].PlaneOrientationSequence = [orientation]
        shared[0].PixelMeasuresSequence = [measures]
        dataset.SharedFunctionalGroupsSequence = [shared[0]]
    return datasets


def _description(label: Label, number: int, scheme: LabelScheme, origin: Origin) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    name, version = origin.model
    return SegmentDescription(
        segment_number=number,
        segment_label=label.name,
        segmented_property_category=_coded(scheme.category),
        segmented_property_type=_coded(label.code),
        anatomic_regions=[_coded(scheme.anatomic_region)],
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"{_SOFTWARE} {name}",
            family=_coded(_FAMILY),
            version=f"{__version__}, model {version}",
            source=_SOFTWARE,
            parameters=dict(origin.parameters) or None,
        ),
        tracking_uid=generate_uid(),
        tracking_id=label.identifier,
        display_color=CIELabColor.from_rgb(*label.colour),
    )


def _coded(code: Code) -> CodedConcept:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)
