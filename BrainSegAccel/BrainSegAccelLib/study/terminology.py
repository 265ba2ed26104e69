"""Labels as 3D Slicer's terminologies and segment tags have them."""

from __future__ import annotations

from typing import Any

from .label_scheme import Code, Label, LabelScheme

ANATOMIC_CONTEXT = "Anatomic codes - DICOM master list"
"""Slicer's own list of places, in which a scheme's anatomic region is looked up."""


def terminology_entry(label: Label, scheme: LabelScheme) -> str:
    """Return the serialised terminology entry of a label.

    Format of ``vtkSlicerTerminologiesModuleLogic::SerializeTerminologyEntry``: seven fields
    separated by ``~`` (context, category, type, type modifier, anatomic context, region, region
    modifier), each code as ``scheme^value^meaning``.
    """
    empty = "^^"
    return "~".join(
        (
            scheme.name,
            _field(scheme.category),
            _field(label.code),
            empty,
            ANATOMIC_CONTEXT,
            _field(scheme.anatomic_region),
            empty,
        )
    )


def segment_tags(label: Label, scheme: LabelScheme) -> dict[str, str]:
    """Return the tags of a segment as Slicer keeps them: its codes, and who made it for DICOM SEG.

    DICOM SEG export refuses a segment without algorithm type, and an automatic one without name.
    """
    return {
        "TerminologyEntry": terminology_entry(label, scheme),
        "DICOM.SegmentAlgorithmType": "AUTOMATIC",
        "DICOM.SegmentAlgorithmName": "BrainSegAccel",
    }


def _field(code: Code) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}"


def terminology_document(scheme: LabelScheme) -> dict[str, Any]:
    """Return a scheme as a file of Slicer's terminology module, ready for JSON.

    Schema: segment-context-schema.json of https://github.com/QIICR/dcmqi.
    """
    return {
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/"
        "segment-context-schema.json#",
        "SegmentationCategoryTypeContextName": scheme.name,
        "SegmentationCodes": {
            "Category": [
                _coded(scheme.category)
                | {
                    "showAnatomy": True,
                    "Type": [
                        _coded(label.code) | {"recommendedDisplayRGBValue": list(label.colour)}
                        for label in scheme.labels
                    ],
                }
            ]
        },
    }


def _coded(code: Code) -> dict[str, Any]:
    return {
        "CodingSchemeDesignator": code.scheme,
        "CodeValue": code.value,
        "CodeMeaning": code.meaning,
    }
