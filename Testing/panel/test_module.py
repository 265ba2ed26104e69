"""What the module tells Slicer about itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
from BrainSegAccelLib.panel.inputs import fillInputs
from BrainSegAccelLib.study.modality import Modality
from vtkmodules.vtkCommonCore import vtkStringArray


@pytest.fixture
def offered(slicer, monkeypatch) -> dict:
    """What the module Sample Data would be told; Slicer's module itself is not imitated."""
    import BrainSegAccel

    told = {}
    module = ModuleType("SampleData")
    module.SampleDataLogic = SimpleNamespace(registerCustomSampleDataSource=told.update)
    monkeypatch.setitem(sys.modules, "SampleData", module)
    BrainSegAccel.registerSampleData()
    return told


def test_sample_case_ships_with_the_module(offered):
    files = [Path(url2pathname(urlparse(uri).path)) for uri in offered["uris"]]
    assert all(file.is_file() for file in files)
    assert len(files) == len(offered["fileNames"]) == len(offered["nodeNames"]) == len(Modality)
    assert Path(offered["thumbnailFileName"]).is_file()


def test_volumes_of_the_sample_case_are_recognised(offered, widget, add_volume):
    nodes = [add_volume(name) for name in offered["nodeNames"]]
    fillInputs(widget._parameterNode)
    assert [getattr(widget._parameterNode, modality) for modality in Modality] == nodes


def test_terminology_of_the_segments_is_known_to_slicer(application):
    names = vtkStringArray()
    application.modules.terminologies.logic().GetLoadedTerminologyNames(names)
    loaded = [names.GetValue(index) for index in range(names.GetNumberOfValues())]
    assert [name for name in loaded if "BrainSegAccel" in name]
