"""The main job in a scene: volume nodes in, a segmentation node and a manifest out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

from ..backends.choice import EngineChoice
from ..inference.result import RunResult
from ..manifest.build import build_manifest, identify_model, record_inputs, record_output
from ..manifest.model import Manifest
from ..runs.options import RunOptions
from ..runs.pipeline import Pipeline
from ..runs.progress import Progress, StageClock
from ..study.modality import Modality
from .registration import keep_motions
from .segmentation import replace_content
from .volumes import study_from_nodes


@dataclass(frozen=True)
class SceneRun:
    """A finished run in a scene."""

    node: vtkMRMLSegmentationNode
    result: RunResult
    manifest: Manifest


def segment_nodes(
    pipeline: Pipeline,
    nodes: Mapping[Modality, vtkMRMLScalarVolumeNode],
    output: vtkMRMLSegmentationNode | None,
    *,
    engine: EngineChoice,
    progress: Progress | None = None,
) -> SceneRun:
    """Segment the volumes and put the result into the scene. A run that fails changes nothing.

    :param nodes: the volumes that are there.
    :param output: its content is replaced; None adds a node to the scene of the reference volume.
    :param engine: as the user asked, for the manifest.
    :raises InputError: what `study_from_nodes` refuses.
    """
    clock = StageClock(progress)
    with clock.stage("read"):
        study = study_from_nodes(nodes)
    options = RunOptions(model=pipeline.package.card.name, engine=engine)
    result = pipeline.run(study, options, clock)
    reference = nodes[study.reference]
    with clock.stage("write"):
        if output is None:
            output = reference.GetScene().AddNewNodeByClass(
                "vtkMRMLSegmentationNode", f"{reference.GetName()} tumour"
            )
        replace_content(output, result.segmentation, reference)
        keep_motions(nodes, result.preprocessing.alignment)
    result = replace(result, stages_ms=clock.stages_ms)
    manifest = build_manifest(
        result,
        model=identify_model(pipeline.package.card),
        inputs=record_inputs(study),
        output=record_output(result.segmentation, None, result.refinement),
        asked=engine,
        requested=options.model_dump(mode="json"),
        choice=pipeline.choice,
    )
    return SceneRun(output, result, manifest)
