"""Everything that the panel asks for, kept in a parameter node and saved with the scene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper

from ..resources import DEFAULT_MODEL
from ..study.modality import Modality

AUTO = "auto"
MODEL_FILE = "file"
"""Value of ``model`` where ``modelFile`` says which."""

AS_THE_MODEL = -1.0
"""Value of ``smallestLesion`` where the model's own counts."""

_Threshold = Annotated[float, WithinRange(0.05, 1.0)]
_Millilitres = Annotated[float, WithinRange(AS_THE_MODEL, 1000.0), Default(AS_THE_MODEL)]
_Iterations = Annotated[int, WithinRange(20, 1000), Default(20)]


@parameterNodeWrapper
class BrainSegAccelParameterNode:
    """One set of parameters; a scene can hold several.

    t1, t1c, t2, flair: input volumes, any of which may be missing.
    segmentation: receives the result; none for a new one.
    registration, brainExtraction: when volumes are aligned and the brain is looked for, as
        ``preprocessing.options`` names it; brainMask: is used instead; biasCorrection: N4.
    device, backend, precision: how the network runs, each a name or ``auto``.
    model: name of a shipped model, or ``file``; modelFile: its card then.
    thresholds: by identifier of a region, the probability above which a voxel belongs to it; a
        region that is not in it has the model's own threshold.
    smallestLesion: connected parts of less than these millilitres are removed; below 0 for the
        model's own.
    roi: what "run again inside" runs inside of.
    iterations: timed runs of a benchmark.
    batchTable: what a batch has done.
    """

    t1: vtkMRMLScalarVolumeNode
    t1c: vtkMRMLScalarVolumeNode
    t2: vtkMRMLScalarVolumeNode
    flair: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    registration: str = AUTO
    brainExtraction: str = AUTO
    brainMask: vtkMRMLSegmentationNode
    biasCorrection: bool = False
    device: str = AUTO
    backend: str = AUTO
    precision: str = AUTO
    model: str = DEFAULT_MODEL
    modelFile: str
    thresholds: dict[str, _Threshold]
    smallestLesion: _Millilitres
    roi: vtkMRMLMarkupsROINode
    iterations: _Iterations
    batchTable: vtkMRMLTableNode


def inputsOf(
    parameters: BrainSegAccelParameterNode,
) -> Mapping[Modality, vtkMRMLScalarVolumeNode]:
    """Return the input volumes that are selected."""
    selected = {modality: getattr(parameters, modality.value) for modality in Modality}
    return {modality: node for modality, node in selected.items() if node is not None}


def modelOf(parameters: BrainSegAccelParameterNode) -> str:
    """Return the name of the shipped model, or the path of the card, that is selected."""
    return parameters.modelFile if parameters.model == MODEL_FILE else parameters.model
