"""A script does what a click on Apply does, and waits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.errors import InputError, RunError
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.preprocessing.options import PreprocessingOptions
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.study.modality import Modality
from vtkmodules.util.numpy_support import vtk_to_numpy


@pytest.fixture
def logic(slicer, worker):
    from BrainSegAccel import BrainSegAccelLogic

    return BrainSegAccelLogic(lambda: worker)


def labels(node) -> np.ndarray:
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    return vtk_to_numpy(image.GetPointData().GetScalars())


def nodes(slicer) -> list[str]:
    scene = slicer.mrmlScene
    return [scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())]


def choose(parameters) -> RunOptions:
    """Choose in the panel, and return the same as a script would write it."""
    parameters.precision, parameters.device = "fp32", "cpu"
    parameters.registration, parameters.biasCorrection = "off", True
    parameters.thresholds, parameters.smallestLesion = {"WT": 0.3}, 0.1
    return RunOptions(
        engine=EngineChoice(precision="fp32", device="cpu"),
        preprocessing=PreprocessingOptions(registration="off", bias_correction=True),
        refinement=Refinement(thresholds={"WT": 0.3}, smallest_lesion_ml=0.1),
    )


@pytest.mark.parametrize("chosen", [False, True], ids=["as usual", "with options"])
def test_a_script_and_a_click_give_the_same(four, apply, widget, logic, chosen):
    options = choose(widget._parameterNode) if chosen else None
    clicked = apply()
    scripted = logic.process(four, options=options)
    assert scripted is not clicked
    assert labels(clicked).any()
    np.testing.assert_array_equal(labels(scripted), labels(clicked))
    kept = clicked.GetNodeReference("BrainSegAccel.Manifest").GetText()
    by_click, by_script = json.loads(kept), json.loads(logic.manifestJson)
    assert by_script["requested"] == by_click["requested"]
    assert by_script["outputs"] == by_click["outputs"]
    assert scripted.GetNodeReference("BrainSegAccel.Volumes") is not None


def test_new_node_is_named_after_the_reference_and_a_given_one_is_filled(four, logic, slicer):
    del four[Modality.T1C]
    node = logic.process(four)
    assert node.GetScene() is slicer.mrmlScene
    assert node.GetName() == "case T1 tumour"
    assert logic.process(four, node) is node


def test_brain_mask_is_a_node(four, logic, slicer, worker):
    mask = logic.process(four)
    logic.process(four, brainMask=mask)
    assert json.loads(logic.manifestJson)["requested"]["brain_mask"] is not None


def test_manifest_tells_of_the_run_and_of_no_patient(four, logic):
    four[Modality.T1C].SetName("Jane Doe 1970")
    logic.process(four)
    document = json.loads(logic.manifestJson)
    validate(document)
    stages = list(document["latency"]["stages_ms"])
    assert (stages[0], stages[-1]) == ("read", "write")
    assert [record["modality"] for record in document["inputs"]] == list(Modality)
    assert "Jane" not in logic.manifestJson


def test_the_window_lives_meanwhile(four, logic, worker):
    import qt

    worker.hold, beats, told = True, [], []
    timer = qt.QTimer()
    timer.interval = 1

    def beat() -> None:
        beats.append(1)
        worker.hold = len(beats) < 20

    timer.timeout.connect(beat)
    timer.start()
    logic.process(four, progress=told.append)
    timer.stop()
    assert len(beats) >= 20
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages == ["read", "network", "write"]
    assert {progress.fraction for progress in told if progress.stage == "network"} == {0.45}


@pytest.mark.parametrize("stage", ["read", "network", "write"])
def test_what_progress_raises_cancels_and_leaves_the_scene_as_it_was(
    four, logic, worker, slicer, wait, stage
):
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    output.GetSegmentation().AddEmptySegment("drawn", "By hand")
    before = nodes(slicer)

    def progress(now) -> None:
        if now.stage == stage:
            raise KeyboardInterrupt

    for target in (output, None):
        worker.hold = stage == "network"
        with pytest.raises(KeyboardInterrupt):
            logic.process(four, target, progress=progress)
        wait(lambda: not worker.tasks)
    assert nodes(slicer) == before
    assert output.GetSegmentation().GetSegmentIDs() == ("drawn",)
    assert logic.manifestJson is None


@pytest.mark.parametrize(
    ("select", "said"),
    [
        (lambda four: {}, "no input volume"),
        (lambda four: dict.fromkeys(Modality, four[Modality.T2]), "selected as both T1 and T1c"),
    ],
)
def test_unusable_selection_is_refused(four, logic, slicer, select, said):
    before = nodes(slicer)
    with pytest.raises(InputError, match=said):
        logic.process(select(four))
    assert nodes(slicer) == before


def test_unusable_volume_is_refused(add_volume, logic, slicer):
    empty = add_volume("T1c", np.zeros((30, 40, 28), "f4"))
    before = nodes(slicer)
    with pytest.raises(InputError, match="T1c: every voxel is 0"):
        logic.process({Modality.T1C: empty})
    assert nodes(slicer) == before


def test_failed_run_is_told(four, logic, worker):
    worker.failure = ("the background process was killed; run again", ("line 1",))
    with pytest.raises(RunError, match="was killed; run again"):
        logic.process(four)
    assert logic.process(four) is not None


def test_scene_closed_meanwhile(four, logic, worker, slicer, wait):
    import qt

    worker.hold = True
    qt.QTimer.singleShot(50, lambda: slicer.mrmlScene.Clear(False))
    with pytest.raises(RunError, match="scene was closed"):
        logic.process(four)
    worker.hold = False
    wait(lambda: not worker.tasks)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_worker_stays_for_the_next_run_and_ends_with_the_logic(four, worker, slicer):
    from BrainSegAccel import BrainSegAccelLogic

    made = []
    logic = BrainSegAccelLogic(lambda: made.append(worker) or worker)
    assert made == []
    logic.process(four)
    logic.process(four)
    assert made == [worker]
    assert not worker.closed
    del logic
    assert worker.closed
