"""A small recipe with every kind of node, made by the tool, twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.training.config import TrainingConfig  # noqa: E402
from BrainSegAccelLib.training.pretrained import read_pretrained  # noqa: E402
from BrainSegAccelLib.training.recipe import Recipe  # noqa: E402
from BrainSegAccelLib.training.replay import DONE, Replay  # noqa: E402
from BrainSegAccelLib.training.train import CHECKPOINT, WEIGHTS  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

TOOL = Path(__file__).parents[2] / "tools" / "replay_recipe.py"
STAGE = {"steps": 2, "shape": [32, 32, 32], "case_voxel": 4, "whole_brain": False}


def run(name: str, widths: tuple[int, ...] = (8, 8, 16, 16), **more: Any) -> dict[str, Any]:
    network = {
        "widths": widths,
        "encoder_blocks": [1, 1, 1, 1],
        "ssd_blocks": [1, 1],
        "head_width": 8,
        "state_width": 4,
        "chunk_length": 24,
        "head_bias": 0.0,
    }
    configuration = {
        "name": name,
        "network": network,
        "stages": [STAGE],
        "workers": 0,
        "warm_up_steps": 1,
        "validation_cases": 0,
    }
    return {"kind": "run", "configuration": configuration, **more}


@pytest.fixture(scope="module")
def recipe(tiny_card: Path) -> dict[str, Any]:
    """From a model: two runs and their mean, a smaller student of both, and its odds shifted."""
    sha256 = read_pretrained(str(tiny_card)).sha256
    return {
        "models": {"small": "shifted"},
        "nodes": {
            "shifted": {"kind": "shift", "of": "pruned", "region": "TC", "factor": 2.0},
            "pruned": run(
                "pruned", (8, 8, 8, 8), initial="mean", prune=True, teachers=["mean", "start"]
            ),
            "mean": {"kind": "mean", "parts": {"one": 0.25, "two": 0.75}},
            "one": run("one", initial="start"),
            "two": run("two", initial="one", stopped_after=1),
            "start": {"kind": "model", "model": str(tiny_card), "sha256": sha256},
        },
    }


def replay(recipe: dict[str, Any], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe))
    command = [sys.executable, str(TOOL), str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(recipe: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the tool made everything."""
    folder = tmp_path_factory.mktemp("replay")
    done = replay(recipe, folder, str(folder / "runs"), "--model", "small")
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "one",
        "two",
        "mean",
        "pruned",
        "shifted",
    ]
    return folder / "runs"


def tensors(folder: Path, node: str) -> dict[str, torch.Tensor]:
    return load_file(folder / node / WEIGHTS)


def recorded(folder: Path, node: str) -> TrainingConfig:
    return TrainingConfig.model_validate_json((folder / node / "training.json").read_bytes())


def test_runs_begin_with_and_learn_from_what_the_recipe_says(made: Path, tiny_card: Path) -> None:
    start = read_pretrained(str(tiny_card)).sha256
    one = read_pretrained(str(made / "one" / WEIGHTS)).sha256
    assert recorded(made, "one").initial_weights == start
    assert recorded(made, "two").initial_weights == one
    pruned = recorded(made, "pruned")
    assert pruned.initial_pruned
    assert pruned.teacher is not None
    assert pruned.network.widths == (8, 8, 8, 8)


def test_a_run_stops_where_it_was_stopped(made: Path) -> None:
    from BrainSegAccelLib.training.checkpoint import load_checkpoint

    steps = {
        node: load_checkpoint(made / node / CHECKPOINT, recorded(made, node))["step"]
        for node in ("one", "two")
    }
    assert steps == {"one": 2, "two": 1}


def test_means_and_odds_are_those_of_their_parts(made: Path) -> None:
    one, two, mean = (tensors(made, node) for node in ("one", "two", "mean"))
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, 0.25 * one[name] + 0.75 * two[name])
    before, after = (tensors(made, node) for node in ("pruned", "shifted"))
    moved = after["head.bias"] - before["head.bias"]
    expected = torch.tensor([0.0, 2.0, 0.0]).clamp_min(1).log().repeat(8)
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-6)


def test_what_is_finished_is_not_made_again(made: Path, recipe: dict[str, Any]) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob(WEIGHTS)}
    told: list[str] = []
    Replay(Recipe.model_validate(recipe), made, tell=told.append).make(["shifted"])
    assert [line.split(": ")[1] for line in told] == ["there already"] * 5
    assert {path: path.stat().st_mtime_ns for path in made.rglob(WEIGHTS)} == before


def test_a_run_that_ended_before_it_was_noted_is_not_trained_on(
    made: Path, recipe: dict[str, Any]
) -> None:
    """Killed between its last checkpoint and its record, it stays where it was to stop."""
    before = tensors(made, "two")
    record = (made / "two" / DONE).read_bytes()
    (made / "two" / DONE).unlink()
    Replay(Recipe.model_validate(recipe), made).make(["two"])
    assert (made / "two" / DONE).read_bytes() == record
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors(made, "two").items())


def test_another_recipe_and_other_weights_are_noticed(
    made: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    changed = json.loads(json.dumps(recipe))
    changed["nodes"]["shifted"]["factor"] = 3.0
    with pytest.raises(InputError, match="shifted: was made of something else than the recipe"):
        Replay(Recipe.model_validate(changed), made).make(["shifted"])
    changed["nodes"]["start"]["sha256"] = "0" * 64
    done = replay(changed, tmp_path, str(made), "--node", "shifted")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("replay_recipe: start: asks for weights with")


def test_the_tool_lists_and_prints(recipe: dict[str, Any], tmp_path: Path) -> None:
    listed = replay(recipe, tmp_path, "--list", "--model", "small").stdout.splitlines()
    assert listed[-1] == "shifted: 2 times the odds of TC of pruned"
    assert "two: 1 steps from one" in listed
    printed = replay(recipe, tmp_path, "--configuration", "pruned").stdout
    assert TrainingConfig.model_validate_json(printed).name == "pruned"
    assert replay(recipe, tmp_path, "--configuration", "mean").returncode == 2
    assert replay(recipe, tmp_path, "--node", "one").returncode == 2
