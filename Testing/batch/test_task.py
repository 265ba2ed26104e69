"""A case is run once, and again only if something that its result depends on has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from gzip import compress, decompress
from pathlib import Path

import pytest
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.batch.task import Outcome, Status, Task, run_task
from BrainSegAccelLib.preprocessing.options import (
    BrainExtraction,
    PreprocessingOptions,
    RegistrationMode,
)
from BrainSegAccelLib.runs.runner import Runner, local_pipeline


def asking(task: Task, **changes: object) -> Task:
    return replace(task, options=task.options.model_copy(update=changes))


def spoil_result(task: Task) -> Task:
    content = bytearray(task.output.read_bytes())
    content[-1] ^= 1
    task.output.write_bytes(content)
    return task


def remove(name: str) -> Callable[[Task], Task]:
    def change(task: Task) -> Task:
        getattr(task, name).unlink()
        return task

    return change


def change_input(task: Task) -> Task:
    file = task.folder / "t1c.nii.gz"
    file.write_bytes(compress(decompress(file.read_bytes()), compresslevel=1))
    return task


def change_manifest(task: Task) -> Task:
    document = json.loads(task.manifest.read_text())
    document["software"]["version"] = "0.0.0"
    task.manifest.write_text(json.dumps(document))
    return task


def earlier_manifest(task: Task) -> Task:
    """As schema 1.0 had it, which does not say what was asked for."""
    document = json.loads(task.manifest.read_text())
    document["schema_version"] = "1.0"
    del document["requested"], document["warnings"], document["input_protocol"]["overlap"]
    task.manifest.write_text(json.dumps(document))
    return task


def cut_manifest(task: Task) -> Task:
    task.manifest.write_bytes(task.manifest.read_bytes()[:-100])
    return task


CHANGES: dict[str, Callable[[Task], Task]] = {
    "result gone": remove("output"),
    "manifest gone": remove("manifest"),
    "result damaged": spoil_result,
    "manifest damaged": cut_manifest,
    "input changed": change_input,
    "other version": change_manifest,
    "manifest of an earlier form": earlier_manifest,
    "other backend": lambda task: asking(task, engine=EngineChoice(backend="openvino")),
    "other precision": lambda task: asking(
        task, engine=EngineChoice(backend="onnxruntime", precision="fp32")
    ),
    "registration": lambda task: asking(
        task, preprocessing=PreprocessingOptions(registration=RegistrationMode.OFF)
    ),
    "bias correction": lambda task: asking(
        task, preprocessing=PreprocessingOptions(bias_correction=True)
    ),
    "brain extraction": lambda task: asking(
        task, preprocessing=PreprocessingOptions(brain_extraction=BrainExtraction.OFF)
    ),
    "grid": lambda task: asking(task, grid="1mm"),
    "verification": lambda task: asking(task, verify=True),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_finished_case_is_kept_until_something_changes(make_tasks, change) -> None:
    (task,) = make_tasks(1)
    assert run_task(task, local_pipeline) == Outcome("c0", Status.DONE)
    written = task.output.stat().st_mtime_ns
    assert run_task(task, local_pipeline) == Outcome("c0", Status.KEPT)
    assert task.output.stat().st_mtime_ns == written
    changed = change(task)
    assert run_task(changed, local_pipeline) == Outcome("c0", Status.DONE)
    assert run_task(changed, local_pipeline) == Outcome("c0", Status.KEPT)


def test_other_weights(make_tasks, tmp_path) -> None:
    (task,) = make_tasks(1)
    run_task(task, local_pipeline)
    shutil.copytree(Path(task.options.model).parent, tmp_path / "other")
    card = tmp_path / "other" / Path(task.options.model).name
    document = json.loads(card.read_text())
    weights = card.parent / document["weights"]["file"]
    content = bytearray(weights.read_bytes())
    content[-2] ^= 1  # The last digit of the last number.
    weights.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    document["weights"]["sha256"] = document["onnx"]["made_from_sha256"] = sha256
    card.write_text(json.dumps(document))
    other = asking(task, model=str(card))
    assert run_task(other, local_pipeline).status is Status.DONE


def test_a_failure_is_one_line_without_the_folder(make_tasks, tmp_path) -> None:
    (task,) = make_tasks(1)
    (task.folder / "t1c.nii.gz").write_bytes(b"")
    outcome = run_task(task, local_pipeline)
    assert outcome == Outcome(
        "c0", Status.FAILED, "t1c.nii.gz: empty file; copy or export it again"
    )


def test_an_unexpected_failure_is_an_outcome_too(make_tasks) -> None:
    def broken(*_request: object) -> Runner:
        raise ValueError("two\nlines")

    (task,) = make_tasks(1)
    assert run_task(task, broken).error == "failed, ValueError: two lines"


def test_the_engine_stays_warm(make_tasks) -> None:
    made = []

    def counting(model: str, engine: EngineChoice) -> Runner:
        made.append((model, engine))
        return local_pipeline(model, engine)

    tasks = make_tasks(3)
    assert {run_task(task, counting).status for task in tasks} == {Status.DONE}
    assert len(made) == 1
    stages = [json.loads(task.manifest.read_text())["latency"]["stages_ms"] for task in tasks]
    assert stages[1]["engine"] < stages[0]["engine"]


def test_what_a_killed_run_left_is_removed(make_tasks) -> None:
    (task,) = make_tasks(1)
    left = task.output.with_name(f".123-abcd.{task.output.name}")
    others = task.output.with_name(".123-abcd.c9.nii.gz")
    left.touch()
    others.touch()
    run_task(task, local_pipeline)
    assert not left.exists()
    assert others.exists()
