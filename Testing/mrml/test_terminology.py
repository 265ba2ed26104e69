from __future__ import annotations

import json

import pytest
import slicer
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.study.regions import (
    ANATOMIC_REGION,
    PROPERTY_CATEGORY,
    SEGMENTS,
    TERMINOLOGY_CONTEXT,
    terminology_entry,
)

SHIPPED = resource("Terminologies", "BrainSegAccel.term.json")


@pytest.fixture
def logic():
    return slicer.vtkSlicerTerminologiesModuleLogic()


def coded(code) -> tuple[str, str, str]:
    return code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning()


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda segment: segment.identifier)
def test_entry_reads_and_writes_as_slicer_does(logic, segment):
    text = terminology_entry()[segment.label]
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.DeserializeTerminologyEntry(text, entry)
    assert entry.GetTerminologyContextName() == TERMINOLOGY_CONTEXT
    for found, expected in (
        (entry.GetCategoryObject(), PROPERTY_CATEGORY),
        (entry.GetTypeObject(), segment.property_type),
        (entry.GetRegionObject(), ANATOMIC_REGION),
    ):
        assert coded(found) == (expected.scheme, expected.value, expected.meaning)
    assert logic.SerializeTerminologyEntry(entry) == text


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda segment: segment.identifier)
def test_slicer_finds_the_colour_in_the_shipped_terminology(logic, segment):
    assert logic.LoadTerminologyFromFile(str(SHIPPED)) == TERMINOLOGY_CONTEXT
    entry = slicer.vtkSlicerTerminologyEntry()
    logic.DeserializeTerminologyEntry(terminology_entry()[segment.label], entry)
    assert logic.UpdateEntryFromLoadedTerminologies(entry, [], [])
    assert entry.GetTypeObject().GetRecommendedDisplayRGBValue() == segment.colour


def test_slicer_recognises_the_file_when_it_is_dropped_on_the_window(logic):
    assert logic.LoadContextFromFile(str(SHIPPED))


def test_shipped_terminology_lists_our_segments_and_nothing_else():
    (category,) = json.loads(SHIPPED.read_text())["SegmentationCodes"]["Category"]
    assert category["CodeValue"] == PROPERTY_CATEGORY.value
    assert [entry["CodeValue"] for entry in category["Type"]] == [
        segment.property_type.value for segment in SEGMENTS
    ]
