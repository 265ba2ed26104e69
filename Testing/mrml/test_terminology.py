from __future__ import annotations

import json

import pytest
import slicer
from BrainSegAccelLib.models.package import load_package, shipped_models
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.study.terminology import terminology_document, terminology_entry
from label_schemes import TUMOUR

SCHEME = TUMOUR.scheme
SHIPPED = resource("Terminologies", "BrainSegAccel.term.json")


@pytest.fixture
def logic():
    return slicer.vtkSlicerTerminologiesModuleLogic()


def coded(code) -> tuple[str, str, str]:
    return code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning()


@pytest.mark.parametrize("label", SCHEME.labels, ids=lambda label: label.identifier)
def test_entry_reads_and_writes_as_slicer_does(logic, label):
    text = terminology_entry(label, SCHEME)
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.DeserializeTerminologyEntry(text, entry)
    assert entry.GetTerminologyContextName() == SCHEME.name
    for found, expected in (
        (entry.GetCategoryObject(), SCHEME.category),
        (entry.GetTypeObject(), label.code),
        (entry.GetRegionObject(), SCHEME.anatomic_region),
    ):
        assert coded(found) == (expected.scheme, expected.value, expected.meaning)
    assert logic.SerializeTerminologyEntry(entry) == text


@pytest.mark.parametrize("label", SCHEME.labels, ids=lambda label: label.identifier)
def test_slicer_finds_the_colour_in_the_shipped_terminology(logic, label):
    assert logic.LoadTerminologyFromFile(str(SHIPPED)) == SCHEME.name
    entry = slicer.vtkSlicerTerminologyEntry()
    logic.DeserializeTerminologyEntry(terminology_entry(label, SCHEME), entry)
    assert logic.UpdateEntryFromLoadedTerminologies(entry, [], [])
    assert entry.GetTypeObject().GetRecommendedDisplayRGBValue() == label.colour


def test_slicer_recognises_the_file_when_it_is_dropped_on_the_window(logic):
    assert logic.LoadContextFromFile(str(SHIPPED))


@pytest.mark.parametrize("model", shipped_models())
def test_shipped_terminology_is_that_of_the_shipped_models(model):
    """`tools/write_terminology.py` makes it."""
    scheme = load_package(model).card.outputs.scheme
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == terminology_document(scheme)
