from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from BrainSegAccelLib.study.modality import Modality
from packaging.requirements import Requirement

MODULE = Path(__file__).resolve().parents[2] / "BrainSegAccel"
TREE = ast.parse((MODULE / "BrainSegAccel.py").read_text())
PANEL = ET.parse(MODULE / "Resources" / "UI" / "BrainSegAccel.ui").getroot()
PANEL_CODE = {
    path: ast.parse(path.read_text())
    for path in [MODULE / "BrainSegAccel.py", *(MODULE / "BrainSegAccelLib/panel").glob("*.py")]
}


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
        for tree in PANEL_CODE.values()
        for n in tree.body
        if isinstance(n, ast.ClassDef) and n.name == "BrainSegAccelParameterNode"
    ]
    return {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}


def test_panel_is_a_mrml_widget():
    assert PANEL.find("widget").get("class") == "qMRMLWidget"


def test_panel_code_uses_widgets_that_the_panel_has():
    used = {
        node.attr
        for tree in PANEL_CODE.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("ui", "self.ui", "self._ui", "widget.ui")
    }
    assert len(used) > 40
    assert used <= set(widgets())


def test_every_button_does_something():
    buttons = {n for n, w in widgets().items() if w.get("class") == "QPushButton"}
    code = "\n".join(ast.unparse(tree) for tree in PANEL_CODE.values())
    assert buttons
    assert {name for name in buttons if f"ui.{name}" not in code} == set()


def test_every_bound_widget_names_a_parameter():
    bound = {value_of(widget, "SlicerParameterName") for widget in widgets().values()} - {None}
    assert bound <= parameter_names()
    assert bound >= {*map(str, Modality), "segmentation", "roi", "iterations"}


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


def test_every_widget_that_a_person_touches_explains_itself():
    kinds = {"QPushButton", "QComboBox", "QSpinBox", "QCheckBox"}
    kinds |= {"qMRMLNodeComboBox", "ctkSliderWidget"}
    silent = {
        name
        for name, widget in widgets().items()
        if widget.get("class") in kinds | {"ctkSliderWidget"}
        and value_of(widget, "toolTip") is None
    }
    assert silent == set()


def test_panel_says_that_it_is_no_medical_device():
    assert "not a medical device" in value_of(widgets()["disclaimerLabel"], "text")


def test_custom_widgets_are_declared():
    declared = {widget.findtext("class") for widget in PANEL.iter("customwidget")}
    used = {widget.get("class") for widget in widgets().values()}
    assert {name for name in used if name.startswith(("ctk", "qMRML"))} == declared


def test_texts_for_people_are_translated():
    """A text that is given to a widget or a window goes through ``_()``."""
    bare = []
    for path, tree in PANEL_CODE.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Attribute):
                continue
            text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            if node.targets[0].attr in ("text", "toolTip", "windowTitle") and text:
                bare += [f"{path.name}:{node.lineno}"] if node.value.value else []
    assert bare == []


def library_imports(nodes) -> list[tuple[str, str]]:
    return [
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module.startswith("BrainSegAccelLib")
        for alias in node.names
    ]


@pytest.mark.parametrize(
    ("module", "name"),
    [found for found in library_imports(ast.walk(TREE)) if ".panel." not in found[0]],
)
def test_module_imports_what_the_library_has(module, name):
    assert hasattr(importlib.import_module(module), name)


def test_module_opens_before_its_packages_are_installed():
    lines = (MODULE / "Resources" / "requirements.txt").read_text().splitlines()
    names = [Requirement(line).name for line in lines if not line.startswith("#")]
    standin = Path(__file__).resolve().parents[1] / "slicer_standin"
    code = f"""
import sys
sys.path.insert(0, {str(standin)!r})
try:
    from start import start
    start()
except ImportError as error:
    print("Qt cannot be loaded:", error)
    sys.exit(77)
sys.modules.update(dict.fromkeys({names}))
import BrainSegAccel
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), check=False)
    if done.returncode == 77:
        pytest.skip("Qt cannot be loaded here; see .ci/run")
    assert done.returncode == 0


def test_slicer_s_node_test_passes_on_slicer_core():
    subprocess.run(
        [sys.executable, "-m", "unittest", "BrainSegAccelNodesTest"],
        cwd=MODULE / "Testing" / "Python",
        env=environment(),
        check=True,
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(MODULE)}
