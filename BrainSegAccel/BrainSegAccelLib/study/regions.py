"""Tumour regions, label values, colours and terminology codes (fixed contract)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Region(StrEnum):
    """Nested evaluation regions; definition order is the network's output channel order."""

    ET = "ET"
    TC = "TC"
    WT = "WT"

    @property
    def label(self) -> str:
        """Name as people write it."""
        return {"ET": "enhancing tumour", "TC": "tumour core", "WT": "whole tumour"}[self.value]

    @property
    def labels(self) -> frozenset[int]:
        """Label values that make up this region. 4 is enhancing tumour in BraTS up to 2021."""
        return {
            "ET": frozenset({3, 4}),
            "TC": frozenset({1, 3, 4}),
            "WT": frozenset({1, 2, 3, 4}),
        }[self.value]


class Label(IntEnum):
    """Values of the written label map."""

    BACKGROUND = 0
    NECROTIC_CORE = 1
    OEDEMA = 2
    ENHANCING_TUMOUR = 3


@dataclass(frozen=True)
class Code:
    """A coded concept: value in a coding scheme (SNOMED CT ``SCT`` or NCI Thesaurus ``NCIt``)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Segment:
    """How one label is named, coloured (RGB 0-255) and coded in every format written."""

    label: Label
    identifier: str
    name: str
    colour: tuple[int, int, int]
    property_type: Code


TERMINOLOGY_CONTEXT = "BrainSegAccel - brain tumour"
PROPERTY_CATEGORY = Code("SCT", "49755003", "Morphologically Altered Structure")
ANATOMIC_CONTEXT = "Anatomic codes - DICOM master list"
ANATOMIC_REGION = Code("SCT", "12738006", "Brain")

SEGMENTS = (
    Segment(
        Label.NECROTIC_CORE,
        "necrotic_core",
        "Necrotic core",
        (216, 191, 216),
        Code("SCT", "6574001", "Necrosis"),
    ),
    Segment(
        Label.OEDEMA,
        "oedema",
        "Oedema",
        (140, 224, 228),
        Code("SCT", "79654002", "Edema"),
    ),
    Segment(
        Label.ENHANCING_TUMOUR,
        "enhancing_tumour",
        "Enhancing tumour",
        (255, 120, 90),
        Code("NCIt", "C113842", "Enhancing Lesion"),
    ),
)


def terminology_entry() -> dict[Label, str]:
    """Return the serialised terminology entry of each label.

    Format of ``vtkSlicerTerminologiesModuleLogic::SerializeTerminologyEntry``: seven fields
    separated by ``~`` (context, category, type, type modifier, anatomic context, region, region
    modifier), each code as ``scheme^value^meaning``.
    """
    empty = "^^"

    def field(code: Code) -> str:
        return f"{code.scheme}^{code.value}^{code.meaning}"

    return {
        segment.label: "~".join(
            (
                TERMINOLOGY_CONTEXT,
                field(PROPERTY_CATEGORY),
                field(segment.property_type),
                empty,
                ANATOMIC_CONTEXT,
                field(ANATOMIC_REGION),
                empty,
            )
        )
        for segment in SEGMENTS
    }


def segment_tags(segment: Segment) -> dict[str, str]:
    """Return the tags of a segment as Slicer keeps them: its codes, and who made it for DICOM SEG.

    DICOM SEG export refuses a segment without algorithm type, and an automatic one without name.
    """
    return {
        "TerminologyEntry": terminology_entry()[segment.label],
        "DICOM.SegmentAlgorithmType": "AUTOMATIC",
        "DICOM.SegmentAlgorithmName": "BrainSegAccel",
    }
