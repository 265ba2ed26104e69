"""Filling the input selectors from what the scene already says."""

from __future__ import annotations

import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ..mrml.studies import SceneStudy, studies_in_scene
from ..study.modality import Modality
from .parameters import BrainSegAccelParameterNode, inputsOf

SERIES_DESCRIPTION = "0008,103e"


def seriesDescription(node: vtkMRMLScalarVolumeNode) -> str:
    """Return the DICOM series description of a volume that came from Slicer's DICOM database."""
    instances = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not instances or database is None:
        return ""
    return database.instanceValue(instances[0], SERIES_DESCRIPTION)


def fillInputs(parameters: BrainSegAccelParameterNode) -> str:
    """Select the volumes of one study in the selectors that are empty.

    With several studies in the scene it is the one that a selected volume belongs to, else the
    one of the volume that the slice views show, else the one with the most modalities.

    :returns: a sentence on what was found and what the user must choose.
    """
    studies = studies_in_scene(slicer.mrmlScene, seriesDescription)
    if not studies:
        return _("No volume of the scene is named like T1, T1c, T2 or FLAIR.")
    study = _chosen(studies, list(inputsOf(parameters).values()))
    filled = []
    with slicer.util.NodeModify(parameters):
        for modality, node in study.volumes.items():
            if getattr(parameters, modality.value) is None:
                setattr(parameters, modality.value, node)
                filled.append(modality.label)
    return " ".join(filter(None, [_found(filled, studies, study), *_unclear(study, parameters)]))


def _chosen(studies: list[SceneStudy], selected: list[vtkMRMLScalarVolumeNode]) -> SceneStudy:
    selection = slicer.app.applicationLogic().GetSelectionNode()
    shown = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID() or "")
    for known in (selected, [shown]):
        for study in studies:
            if any(node in known for node in _every(study)):
                return study
    return max(studies, key=lambda study: len(study.volumes))


def _every(study: SceneStudy) -> list[vtkMRMLScalarVolumeNode]:
    return [*study.volumes.values(), *(n for nodes in study.unclear.values() for n in nodes)]


def _found(filled: list[str], studies: list[SceneStudy], study: SceneStudy) -> str:
    if not filled:
        return ""
    if len(studies) == 1:
        return _("Found {modalities}.").format(modalities=", ".join(filled))
    return _("Found {modalities} of {study}, one of {count} studies.").format(
        modalities=", ".join(filled), study=study.name, count=len(studies)
    )


def _unclear(study: SceneStudy, parameters: BrainSegAccelParameterNode) -> list[str]:
    return [
        _("{count} volumes could be {modality}: choose one.").format(
            count=len(study.unclear[modality]), modality=modality.label
        )
        for modality in Modality
        if modality in study.unclear and getattr(parameters, modality.value) is None
    ]
