from __future__ import annotations

import pytest
from BrainSegAccelLib.panel import packages
from BrainSegAccelLib.panel.packages import Packages, sizes_mb
from BrainSegAccelLib.panel.parameters import BrainSegAccelParameterNode
from BrainSegAccelLib.study.modality import Modality

FLAGS_ROLE = 0x00FF


def offered(box) -> dict[str, str]:
    """Return why each item of a combo box cannot be selected, empty if it can."""
    import qt

    for index in range(box.count):
        enabled = bool(box.model().item(index).flags() & qt.Qt.ItemIsEnabled)
        assert enabled is not bool(box.itemData(index, qt.Qt.ToolTipRole))
    reasons = [box.itemData(index, qt.Qt.ToolTipRole) for index in range(box.count)]
    return dict(zip([box.itemText(index) for index in range(box.count)], reasons, strict=True))


def choose(box, label: str) -> None:
    index = box.findText(label)
    box.setCurrentIndex(index)
    box.activated.emit(index)


def test_empty_scene_is_explained(ui):
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Select at least one of T1, T1c, T2 and FLAIR."
    assert ui.applyHint.visible
    assert ui.applyHint.text == ui.applyButton.toolTip
    assert not ui.packagesFrame.visible
    assert "not a medical device" in ui.disclaimerLabel.text


def test_loaded_volumes_are_selected(ui, add_volume, slicer):
    nodes = {"t1c": add_volume("7: AX T1 POST GAD"), "flair": add_volume("T2 FLAIR")}
    add_volume("DWI")
    slicer.app.processEvents()
    assert {name: getattr(ui, f"{name}Selector").currentNode() for name in nodes} == nodes
    assert ui.t2Selector.currentNode() is None
    assert ui.applyButton.enabled
    assert not ui.applyHint.visible


def test_the_users_choice_is_left_alone(ui, add_volume, slicer):
    first = add_volume("T1c")
    slicer.app.processEvents()
    ui.t1cSelector.setCurrentNode(None)
    ui.t1Selector.setCurrentNode(first)
    flair = add_volume("FLAIR")
    slicer.app.processEvents()
    assert ui.t1cSelector.currentNode() is None
    assert ui.flairSelector.currentNode() is None
    ui.findButton.click()
    assert ui.flairSelector.currentNode() is flair
    assert ui.t1Selector.currentNode() is first
    assert ui.findHint.text == "Found T1c, FLAIR."


def test_find_says_what_the_user_must_choose(ui, add_volume, slicer):
    ui.findButton.click()
    assert ui.findHint.text == "No volume of the scene is named like T1, T1c, T2 or FLAIR."
    add_volume("T1c a")
    add_volume("T1c b")
    ui.findButton.click()
    assert ui.findHint.text == "2 volumes could be T1c: choose one."


def test_series_description_of_dicom_volumes(ui, add_volume, slicer, monkeypatch):
    class Database:
        def instanceValue(self, instance: str, tag: str) -> str:
            assert (instance, tag) == ("1.2.3", "0008,103e")
            return "AX T2 FLAIR FS"

    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    node = add_volume("Volume_1")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    slicer.app.processEvents()
    assert ui.flairSelector.currentNode() is node


def test_the_study_on_screen_is_preferred(ui, add_volume, slicer):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    nodes = []
    for patient in ("A", "B"):
        item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patient)
        nodes.append(add_volume("T1c"))
        hierarchy.CreateItem(item, nodes[-1])
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(nodes[1].GetID())
    slicer.app.processEvents()
    assert ui.t1cSelector.currentNode() is nodes[1]


def test_one_volume_for_two_modalities_is_refused(ui, add_volume, slicer):
    node = add_volume("T1c")
    slicer.app.processEvents()
    ui.t1Selector.setCurrentNode(node)
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "T1c is selected as T1 and as T1c."


def test_what_cannot_run_is_grey_and_says_why(four, ui, widget):
    assert offered(ui.backendBox) == {
        "Automatic: the fastest measured here": "",
        "PyTorch": "no PyTorch; get it",
        "ONNX Runtime": "",
    }
    assert offered(ui.deviceBox)["NVIDIA GPU"] == "no GPU; buy"
    choose(ui.backendBox, "ONNX Runtime")
    assert widget._parameterNode.backend == "onnxruntime"
    assert offered(ui.precisionBox)["FP16"] == "slow; a GPU"
    assert ui.applyButton.enabled


def test_scene_of_another_computer_keeps_what_it_asks_for(four, ui, widget):
    widget._parameterNode.backend = "tensorrt"
    assert ui.backendBox.currentText == "tensorrt (not known here)"
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "This computer does not know it."
    widget._parameterNode.backend = "auto"
    assert ui.applyButton.enabled
    assert ui.backendBox.findText("tensorrt (not known here)") == -1


def test_model_from_a_file(four, ui, widget):
    assert not ui.modelFileEdit.isVisibleTo(ui.advancedContents)
    choose(ui.modelBox, "From a file")
    assert ui.modelFileEdit.isVisibleTo(ui.advancedContents)
    assert ui.applyButton.toolTip == "Choose the card of a model."
    ui.modelFileEdit.currentPath = "/models/mine.card.json"
    assert ui.applyButton.enabled
    assert widget._parameterNode.modelFile == "/models/mine.card.json"


def test_parameter_sets_are_apart(four, ui, widget, slider):
    first = widget._parameterNode
    first.thresholds = {"WT": 0.3}
    node = ui.parameterSetSelector.addNode()
    second = widget._parameterNode
    assert second.parameterNode is node
    assert second.thresholds == {}
    assert slider("WT").value == 0.5
    ui.t1Selector.setCurrentNode(None)
    ui.parameterSetSelector.setCurrentNode(first.parameterNode)
    assert slider("WT").value == 0.3
    assert ui.t1Selector.currentNode() is four[Modality.T1]
    assert BrainSegAccelParameterNode(node).t1 is None


def test_missing_packages_are_explained_and_installed_once_asked(
    open_panel, worker, answers, monkeypatch, slicer, add_volume
):
    there = {"openvino"}
    monkeypatch.setattr(slicer.packaging, "pip_check", lambda r: r.name in there)
    add_volume("T1c")
    widget = open_panel(lambda: worker)
    ui = widget.ui
    assert ui.packagesFrame.visible
    assert ui.packagesLabel.text.startswith("Python packages are missing (about 89 MB): onnx")
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Install the Python packages first."
    assert not ui.refineCollapsibleButton.enabled
    answers.installing = False
    ui.installButton.click()
    assert len(answers.asked) == 1
    assert "onnxruntime: 74 MB" in answers.asked[0]
    assert ui.packagesFrame.visible
    there.update(packages.sizes_mb())
    widget.enter()
    assert not ui.packagesFrame.visible
    assert ui.refineCollapsibleButton.enabled
    assert not ui.resultCollapsibleButton.enabled


def test_installation_leaves_alone_what_is_there(answers, monkeypatch, slicer):
    there, calls = {"openvino", "pydantic"}, []

    def ensure(requirements, **options) -> None:
        calls.append(options)
        there.update(r.name for r in requirements)

    monkeypatch.setattr(slicer.packaging, "pip_check", lambda r: r.name in there)
    assert Packages(answers, ensure).install()
    assert calls == [{"prompt_install": False, "requester": "BrainSegAccel"}]
    assert len(answers.asked) == 1
    assert Packages(answers, ensure).install()
    assert len(answers.asked) == 1


def test_sizes_that_are_told_are_those_of_the_packages():
    from importlib import metadata

    told = sizes_mb()
    assert [r.name for r in packages._requirements()] == list(told)
    for name in ("openvino", "onnxruntime"):
        real = sum((file.size or 0) for file in metadata.files(name)) / 1e6
        assert told[name] == pytest.approx(real, rel=0.5)


def test_pytorch_needs_its_extension(ui, slicer, monkeypatch):
    said = []
    monkeypatch.setattr(slicer.util, "infoDisplay", said.append)
    ui.installTorchButton.click()
    assert said == ["Install the extension PyTorch with the Extensions Manager first."]


def test_worker_ends_with_the_module(open_panel, worker):
    open_panel(lambda: worker).cleanup()
    assert worker.closed
