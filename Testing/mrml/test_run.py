from __future__ import annotations

import numpy as np
import pytest
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.mrml.run import segment_nodes
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.modality import Modality

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

ENGINE = EngineChoice(backend="onnxruntime", precision="fp32", device="cpu")


class Stages:
    """A listener that remembers the stages, and can raise at one of them."""

    def __init__(self, stop_at: str = "") -> None:
        self.seen: list[str] = []
        self.stop_at = stop_at

    def begin(self, stage: str) -> None:
        self.seen.append(stage)
        if stage == self.stop_at:
            raise KeyboardInterrupt

    def advance(self, fraction: float) -> None:
        assert 0.0 <= fraction <= 1.0


@pytest.fixture
def pipeline(tiny_package, engine_cache) -> Pipeline:
    return Pipeline(tiny_package, ENGINE, engine_cache)


@pytest.fixture
def nodes(four_modalities, add_volume):
    return {
        modality: add_volume(volume.array, RAS_FROM_LPS @ volume.affine, modality.label)
        for modality, volume in four_modalities.items()
    }


def run(pipeline, nodes, output=None, progress=None):
    return segment_nodes(
        pipeline,
        nodes,
        output,
        engine=ENGINE,
        progress=progress,
    )


def test_run_of_a_scene_is_the_run_of_its_study(pipeline, nodes, four_modalities):
    done = run(pipeline, nodes)
    expected = pipeline.run(four_modalities).segmentation
    np.testing.assert_array_equal(done.result.segmentation.labels, expected.labels)
    assert done.result.segmentation.grid.same_as(four_modalities.reference_grid)


def test_new_node_is_added_and_named_after_the_reference(scene, pipeline, nodes):
    del nodes[Modality.T1C]
    done = run(pipeline, nodes)
    assert done.node.GetScene() is scene
    assert done.node.GetName() == "T1 tumour"
    assert done.node.GetSegmentation().GetNumberOfSegments() == 3


def test_given_node_is_filled(scene, pipeline, nodes):
    output = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    before = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    assert run(pipeline, nodes, output).node is output
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before


def test_manifest_tells_of_the_run_and_of_no_patient(pipeline, nodes):
    nodes[Modality.T1C].SetName("Jane Doe 1970")
    progress = Stages()
    manifest = run(pipeline, nodes, progress=progress).manifest
    document = manifest.model_dump(mode="json")
    validate(document)
    assert list(document["latency"]["stages_ms"]) == progress.seen
    assert progress.seen[0] == "read"
    assert progress.seen[-1] == "write"
    assert document["outputs"][0]["format"] == "scene node"
    assert [record["modality"] for record in document["inputs"]] == list(Modality)
    assert "Jane" not in manifest.model_dump_json()


@pytest.mark.parametrize(
    "stage",
    [
        "read",
        "engine",
        "register",
        "extract brain",
        "preprocess",
        "network",
        "postprocess",
        "write",
    ],
)
def test_cancelled_run_leaves_the_scene_as_it_was(scene, pipeline, engine_cache, nodes, stage):
    output = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    output.GetSegmentation().AddEmptySegment("drawn", "By hand")
    before = scene.GetNumberOfNodes()
    for target in (output, None):
        fresh = Pipeline(pipeline.package, ENGINE, engine_cache)
        with pytest.raises(KeyboardInterrupt):
            run(fresh, nodes, target, Stages(stop_at=stage))
    assert scene.GetNumberOfNodes() == before
    assert output.GetSegmentation().GetSegmentIDs() == ("drawn",)


def test_unusable_input_leaves_the_scene_as_it_was(scene, pipeline):
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="no input volume"):
        run(pipeline, {})
    assert scene.GetNumberOfNodes() == before
