"""What a worker answers: results, lists, refusals."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from asked import asking, segment, warm_up
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.survey import survey
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.roi import Roi
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.manifest.model import PROCESS_START
from BrainSegAccelLib.manifest.schema import validate
from BrainSegAccelLib.manifest.write import to_json
from BrainSegAccelLib.postprocessing.refine import refine
from BrainSegAccelLib.postprocessing.refinement import Refinement
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.study.modality import Modality
from BrainSegAccelLib.study.study import Study
from BrainSegAccelLib.worker import messages
from BrainSegAccelLib.worker.client import State, WorkerClient
from BrainSegAccelLib.worker.messages import ListBackends

Volumes = dict[Modality, Volume]


def _segmented(event: messages.Event) -> messages.Segmented:
    assert isinstance(event, messages.Segmented), event
    validate(json.loads(to_json(event.manifest)))
    return event


def test_the_second_run_starts_no_process_and_builds_no_engine(
    desk, volumes: Volumes, options: RunOptions
) -> None:
    assert desk.client.state is State.STOPPED
    began = time.monotonic()
    first = _segmented(desk.ask(segment(volumes, options)))
    passed_ms = 1000.0 * (time.monotonic() - began)
    pid = desk.client.pid
    assert desk.client.state is State.IDLE
    known = len(desk.seen)
    second = _segmented(desk.ask(segment(volumes, options)))
    assert desk.client.pid == pid

    stages = first.manifest.latency.stages_ms
    assert next(iter(stages)) == PROCESS_START
    assert {"engine", "network", "transfer"} <= set(stages)
    assert 0.9 * passed_ms - 100 < first.manifest.latency.total_ms < passed_ms + 1
    assert not {PROCESS_START, "engine"} & set(second.manifest.latency.stages_ms)
    assert first.manifest.inputs[0].sha256_of == "voxels"

    shown = [e for e in desk.seen if isinstance(e, messages.Progress)]
    assert shown[0].stage == "start worker"
    assert {"send volumes", "network", "postprocess"} <= {e.stage for e in shown}
    # From how long the first one took, the second one's bar and time left are known.
    later = [
        e for e in desk.seen[known:] if isinstance(e, messages.Progress) and e.stage == "record"
    ]
    assert all(e.fraction and e.seconds_left is not None for e in later)

    plain = Pipeline(options.model, EngineChoice(backend="onnxruntime")).run(Study(volumes))
    for found in (first, second):
        assert found.segmentation.grid.same_as(plain.segmentation.grid)
        np.testing.assert_allclose(found.kept.values, plain.kept.values, atol=1e-4)
        np.testing.assert_array_equal(
            found.segmentation.labels,
            refine(found.kept, Refinement().resolve(found.kept.outputs)).labels,
        )


def test_volumes_go_over_once(desk, volumes: Volumes, options: RunOptions) -> None:
    def names() -> set[str]:
        return {handle.array.name for handle in desk.client._known.values()}

    first = _segmented(desk.ask(segment(volumes, options)))
    there = names()
    assert len(there) == len(volumes)
    desk.ask(warm_up(options))
    again = _segmented(desk.ask(segment(volumes, options)))
    assert names() == there
    np.testing.assert_array_equal(first.kept.values, again.kept.values)
    assert first.manifest.inputs == again.manifest.inputs

    # A refused request makes nothing sure; another process has nothing.
    assert isinstance(desk.ask(segment(volumes, options, backend="cudnn")), messages.Failed)
    other = Volume(2 * volumes[Modality.T2].array, volumes[Modality.T2].affine, "other")
    changed = _segmented(desk.ask(segment({**volumes, Modality.T2: other}, options)))
    assert len(names() & there) == len(volumes) - 1
    digests = [record.sha256 for record in changed.manifest.inputs]
    assert sum(d == f.sha256 for d, f in zip(digests, first.manifest.inputs, strict=True)) == 3
    psutil.Process(desk.pid).kill()
    desk.until(lambda event: isinstance(event, messages.Lost))
    assert not names()
    _segmented(desk.ask(segment(volumes, options)))
    assert not names() & there


def test_refinement_region_benchmark_and_verification(
    desk, volumes: Volumes, options: RunOptions
) -> None:
    loose = Refinement(thresholds=dict.fromkeys(("ET", "TC", "WT"), 0.3), smallest_lesion_ml=0.0)
    whole = _segmented(desk.ask(segment(volumes, options, refinement=loose)))
    again = refine(whole.kept, loose.resolve(whole.kept.outputs))
    np.testing.assert_array_equal(whole.segmentation.labels, again.labels)
    corners = Study(volumes).reference_grid.corners()
    centre = corners.mean(axis=0)
    roi = Roi.from_corners(centre - 5.0, centre + 5.0)
    request = segment(volumes, options, refinement=loose, roi=roi, base=whole.kept)
    part = _segmented(desk.ask(request))
    assert whole.manifest.outputs[0].thresholds["TC"] == 0.3
    assert whole.manifest.outputs[0].scope == "whole head"
    assert part.manifest.outputs[0].scope == "region of interest"
    outside = ~roi.mask(whole.segmentation.grid)
    assert (part.segmentation.labels != 0)[outside].any()
    np.testing.assert_array_equal(
        part.segmentation.labels[outside], whole.segmentation.labels[outside]
    )
    asked = asking(request.options, iterations=20, verify=True)
    judged = _segmented(desk.ask(segment(volumes, asked)))
    latency, quality = judged.manifest.latency, judged.manifest.quality_retention
    assert latency.model_only.iterations == latency.end_to_end.iterations == 20
    assert "no transfer" in latency.end_to_end.includes
    assert quality.reference is not None
    assert quality.reference.precision is Precision.FP32
    assert quality.agreement_dice is not None
    assert quality.agreement_dice["WT"] > 0.99


def test_what_cannot_be_used_is_said_and_the_worker_lives_on(
    desk, volumes: Volumes, options: RunOptions
) -> None:
    nan = volumes[Modality.T2].array.copy()
    nan[3, 4, 5] = np.nan
    two = Volume(np.arange(2, dtype=np.float32).reshape(1, 1, 2), np.eye(4), "dot")
    far = Roi.from_corners(np.full(3, 900.0), np.full(3, 950.0))
    grid = Study(volumes).reference_grid
    other = Volume(np.ones((30, 30, 30), dtype=np.float32), np.eye(4) * np.nan, "lost")
    refused = [
        (segment({}, options), "no input volume"),
        (
            segment({**volumes, Modality.T2: Volume(nan, grid.affine, "spoilt")}, options),
            "spoilt: 1 voxels are NaN or infinite; repair or export it again",
        ),
        (segment({Modality.T1: two}, options), "dot: image of 2 x 1 x 1 mm cannot hold a brain"),
        (segment({Modality.T1: other}, options), "lost: orientation, voxel size or position"),
        (
            segment(
                volumes, options, brain_mask=Volume(np.zeros_like(nan), grid.affine, "nothing")
            ),
            "nothing: no voxel of the brain mask lies in",
        ),
        (segment(volumes, options, roi=far), "region of interest: lies outside of the head"),
        (segment(volumes, options, backend="cudnn"), "unknown backend 'cudnn'"),
        (segment(volumes, options, model="huge"), "no model named 'huge'"),
        (warm_up(options, backend="cudnn"), "unknown backend 'cudnn'"),
    ]
    pids = set()
    for request, message in refused:
        failed = desk.ask(request)
        assert isinstance(failed, messages.Failed)
        assert message in failed.message
        assert failed.unusable_input
        assert len(failed.message.splitlines()) == 1
        pids.add(desk.client.pid)
    assert len(pids) == 1
    _segmented(desk.ask(segment(volumes, options)))


def test_warming_up_and_listing(desk, options: RunOptions) -> None:
    warm = desk.ask(warm_up(options))
    assert isinstance(warm, messages.Warmed)
    assert (warm.backend, warm.precision, warm.device, warm.built) == (
        "onnxruntime",
        "fp32",
        Device.CPU,
        True,
    )
    again = desk.ask(warm_up(options))
    assert isinstance(again, messages.Warmed)
    assert not again.built
    listed = desk.ask(ListBackends())
    assert isinstance(listed, messages.Listed)
    assert listed.combinations == survey()


def test_a_cache_that_cannot_be_written_is_a_warning(
    desk, volumes: Volumes, options: RunOptions, cache_folder: Path
) -> None:
    cache_folder.write_text("no folder can be made here")
    done = _segmented(desk.ask(segment(volumes, options, backend="openvino")))
    (warning,) = done.manifest.warnings
    assert warning.startswith("engine not cached: ")
    assert str(cache_folder.parent) not in warning
    assert not done.manifest.runtime.engine.cache_hit


def test_tasks_wait_for_one_another(desk, volumes: Volumes, options: RunOptions) -> None:
    numbers = [desk.client.submit(r) for r in (warm_up(options), ListBackends(), warm_up(options))]
    assert desk.client.tasks == tuple(numbers)
    desk.client.cancel(numbers[1])
    assert isinstance(desk.answer(numbers[1]), messages.Cancelled)
    desk.answer(numbers[2])
    answers = [e.task for e in desk.seen if not isinstance(e, messages.Progress)]
    assert answers == [numbers[1], numbers[0], numbers[2]]
    assert desk.client.tasks == ()


def test_a_worker_that_cannot_start_is_explained(cache_folder: Path) -> None:
    for python, said in (("no-such-python", "cannot be started"), ("/bin/false", "exit code 1")):
        client = WorkerClient(python)
        client.submit(ListBackends())
        started = time.monotonic()
        happened: list[messages.Event] = []
        while not any(isinstance(e, messages.Failed) for e in happened):
            assert time.monotonic() - started < 120
            happened += client.poll()
            time.sleep(0.01)
        assert said in happened[-1].message
        client.close()


def test_a_closed_client_takes_nothing(options: RunOptions) -> None:
    client = WorkerClient()
    client.close()
    with pytest.raises(InputError, match="worker: is closed"):
        client.submit(warm_up(options))
    assert client.poll() == []
