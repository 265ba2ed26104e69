from __future__ import annotations

import ast
import importlib
import inspect
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from BrainSegAccelLib.inference.pipeline import Pipeline
from BrainSegAccelLib.modality import Modality
from packaging.requirements import Requirement

MODULE = Path(__file__).resolve().parents[2] / "BrainSegAccel"
SOURCE = (MODULE / "BrainSegAccel.py").read_text()
TREE = ast.parse(SOURCE)
PANEL = ET.parse(MODULE / "Resources" / "UI" / "BrainSegAccel.ui").getroot()


def widgets() -> dict[str, ET.Element]:
    found = PANEL.findall(".//widget")
    by_name = {widget.get("name"): widget for widget in found}
    assert len(by_name) == len(found)
    return by_name


def value_of(widget: ET.Element, name: str) -> str | None:
    found = widget.find(f"property[@name='{name}']")
    return None if found is None else "".join(found.itertext()).strip()


def parameter_names() -> set[str]:
    (node,) = [
        n
        for n in TREE.body
        if isinstance(n, ast.ClassDef) and n.name == "BrainSegAccelParameterNode"
    ]
    return {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}


def test_panel_is_a_mrml_widget():
    assert PANEL.find("widget").get("class") == "qMRMLWidget"


def test_module_uses_widgets_that_the_panel_has():
    used = {
        node.attr
        for node in ast.walk(TREE)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self.ui"
    }
    assert used
    assert used <= set(widgets())


def test_every_parameter_has_its_widget():
    bound = {value_of(widget, "SlicerParameterName") for widget in widgets().values()} - {None}
    assert bound == parameter_names()


def test_every_selector_knows_the_scene():
    selectors = {n for n, w in widgets().items() if w.get("class") == "qMRMLNodeComboBox"}
    connected = {
        connection.findtext("receiver")
        for connection in PANEL.iter("connection")
        if connection.findtext("sender") == PANEL.find("widget").get("name")
        and connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    assert connected == selectors


@pytest.mark.parametrize("modality", Modality)
def test_every_input_is_optional_and_is_only_selected(modality):
    selector = widgets()[f"{modality}Selector"]
    assert value_of(selector, "SlicerParameterName") == modality
    assert value_of(selector, "nodeTypes") == "vtkMRMLScalarVolumeNode"
    assert value_of(selector, "noneEnabled") == "true"
    for name in ("showChildNodeTypes", "addEnabled", "removeEnabled"):
        assert value_of(selector, name) == "false"


def test_output_may_be_new():
    selector = widgets()["segmentationSelector"]
    assert value_of(selector, "nodeTypes") == "vtkMRMLSegmentationNode"
    assert value_of(selector, "noneEnabled") == value_of(selector, "addEnabled") == "true"


def test_panel_says_that_it_is_no_medical_device():
    assert "not a medical device" in value_of(widgets()["disclaimerLabel"], "text")


def test_custom_widgets_are_declared():
    declared = {widget.findtext("class") for widget in PANEL.iter("customwidget")}
    used = {widget.get("class") for widget in widgets().values()}
    assert {name for name in used if name.startswith(("ctk", "qMRML"))} == declared


def library_imports(nodes) -> list[tuple[str, str]]:
    return [
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module.startswith("BrainSegAccelLib")
        for alias in node.names
    ]


@pytest.mark.parametrize(("module", "name"), library_imports(ast.walk(TREE)))
def test_module_imports_what_the_library_has(module, name):
    assert hasattr(importlib.import_module(module), name)


def test_module_asks_the_pipeline_for_backend_and_precision():
    assert list(inspect.signature(Pipeline).parameters)[:2] == ["backend", "precision"]


def test_module_opens_before_its_packages_are_installed():
    lines = (MODULE / "Resources" / "requirements.txt").read_text().splitlines()
    names = [Requirement(line).name for line in lines if not line.startswith("#")]
    imports = "; ".join(f"from {m} import {n}" for m, n in library_imports(TREE.body))
    code = f"import sys; sys.modules.update(dict.fromkeys({names})); {imports}"
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)


def test_slicer_s_node_test_passes_on_slicer_core():
    subprocess.run(
        [sys.executable, "-m", "unittest", "BrainSegAccelNodesTest"],
        cwd=MODULE / "Testing" / "Python",
        env=environment(),
        check=True,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(MODULE)}
