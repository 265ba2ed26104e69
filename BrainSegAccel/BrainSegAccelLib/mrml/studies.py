"""Which volumes of a scene belong together, and which modality each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSubjectHierarchyNode

from ..io.sequence_names import modality_of
from ..study.modality import Modality

Describe = Callable[[vtkMRMLScalarVolumeNode], str]
"""Returns the DICOM series description of a volume, empty if it has none."""


@dataclass(frozen=True)
class SceneStudy:
    """The MR volumes of one study, or of one patient or folder where there are no studies.

    :param name: of the patient or folder, for display in the scene only.
    :param item: of the subject hierarchy; the scene's own item for volumes that lie in none.
    :param volumes: the one volume of each modality.
    :param unclear: modalities of which there are several volumes.
    """

    name: str
    item: int
    volumes: Mapping[Modality, vtkMRMLScalarVolumeNode]
    unclear: Mapping[Modality, tuple[vtkMRMLScalarVolumeNode, ...]]


def studies_in_scene(scene: vtkMRMLScene, describe: Describe = lambda node: "") -> list[SceneStudy]:
    """Return every group of volumes in which at least one modality was recognised, in order.

    A volume is recognised by its name, else by its DICOM series description, else by the names
    of the folders around it. Volumes that are hidden from editors are passed over.
    """
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    groups: dict[int, dict[Modality, list[vtkMRMLScalarVolumeNode]]] = {}
    for node in _volumes(scene):
        group, folders = _place(hierarchy, node)
        names = (node.GetName() or "", describe(node), *folders)
        modality = next((m for name in names if (m := modality_of(name))), None)
        if modality is not None:
            groups.setdefault(group, {}).setdefault(modality, []).append(node)
    return [_study(hierarchy, item, found) for item, found in groups.items()]


def _study(
    hierarchy: vtkMRMLSubjectHierarchyNode,
    item: int,
    found: Mapping[Modality, list[vtkMRMLScalarVolumeNode]],
) -> SceneStudy:
    return SceneStudy(
        hierarchy.GetItemName(item),
        item,
        {m: found[m][0] for m in Modality if len(found.get(m, ())) == 1},
        {m: tuple(found[m]) for m in Modality if len(found.get(m, ())) > 1},
    )


def _volumes(scene: vtkMRMLScene) -> Iterable[vtkMRMLScalarVolumeNode]:
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")
        # Label maps and the like are scalar volumes too.
        if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors():
            yield node


def _place(
    hierarchy: vtkMRMLSubjectHierarchyNode, node: vtkMRMLScalarVolumeNode
) -> tuple[int, list[str]]:
    """Return the item that a volume is grouped by, and the names of the folders it lies in.

    That is its study, else its patient, else its outermost folder, else the scene.
    """
    scene_item = hierarchy.GetSceneItemID()
    item = hierarchy.GetItemByDataNode(node)
    folders = []
    while item and (item := hierarchy.GetItemParent(item)) and item != scene_item:
        folders.append(item)
    for level in ("Study", "Patient"):
        for folder in folders:
            if hierarchy.GetItemLevel(folder) == level:
                return folder, [hierarchy.GetItemName(f) for f in folders]
    return (folders[-1] if folders else scene_item), [hierarchy.GetItemName(f) for f in folders]
