from __future__ import annotations

import pytest
import slicer
from BrainSegAccelLib.mrml.studies import studies_in_scene
from BrainSegAccelLib.study.modality import Modality


@pytest.fixture
def add(scene):
    """Return ``add(name, folder, level)``, which adds an empty volume below a folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    made = {}

    def add(name, *folders, kind="vtkMRMLScalarVolumeNode"):
        node = scene.AddNewNodeByClass(kind, name)
        parent = hierarchy.GetSceneItemID()
        for depth, folder in enumerate(folders):
            key = folders[: depth + 1]
            if key not in made:
                create = (hierarchy.CreateSubjectItem, hierarchy.CreateStudyItem)[min(depth, 1)]
                made[key] = create(parent, folder)
            parent = made[key]
        hierarchy.CreateItem(parent, node)
        return node

    return add


def test_volumes_are_told_apart_by_name(scene, add):
    nodes = {
        Modality.T1: add("3: AX T1 pre"),
        Modality.T1C: add("7: AX T1 POST GAD"),
        Modality.T2: add("t2_tse_tra"),
        Modality.FLAIR: add("T2 FLAIR"),
    }
    add("DWI b1000")
    add("T1 label", kind="vtkMRMLLabelMapVolumeNode")
    (study,) = studies_in_scene(scene)
    assert study.volumes == nodes
    assert not study.unclear


def test_series_description_helps_where_the_name_says_nothing(scene, add):
    node = add("Volume_12")
    (study,) = studies_in_scene(scene, {node: "SAG T2 FLAIR FS"}.get)
    assert study.volumes == {Modality.FLAIR: node}


def test_folder_helps_where_name_and_description_say_nothing(scene, add):
    node = add("Volume_12", "Doe", "T1c")
    (study,) = studies_in_scene(scene)
    assert study.volumes == {Modality.T1C: node}


def test_studies_and_patients_stay_apart(scene, add):
    first = add("T1c", "A", "2020")
    second = add("T1c", "A", "2021")
    other = add("FLAIR", "B", "2020")
    loose = add("T2")
    found = studies_in_scene(scene)
    assert [list(study.volumes.values()) for study in found] == [
        [first],
        [second],
        [other],
        [loose],
    ]
    assert [study.name for study in found[:3]] == ["2020", "2021", "2020"]


def test_two_candidates_are_not_guessed_between(scene, add):
    both = add("T1c", "A"), add("T1c MPRAGE", "A")
    flair = add("FLAIR", "A")
    (study,) = studies_in_scene(scene)
    assert study.volumes == {Modality.FLAIR: flair}
    assert study.unclear == {Modality.T1C: both}


def test_volumes_without_item_and_hidden_ones(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "FLAIR")
    hidden = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1c")
    hidden.SetHideFromEditors(True)
    (study,) = studies_in_scene(scene)
    assert study.volumes == {Modality.FLAIR: node}


def test_nothing_is_recognised_in_an_empty_scene(scene):
    assert studies_in_scene(scene) == []
