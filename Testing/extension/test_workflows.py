"""Continuous integration cannot run here, but what its files name can be looked up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml  # comes with `distributed`
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}


def commands(workflow: dict) -> str:
    """Return everything that a workflow runs."""
    jobs = workflow["jobs"].values()
    return "\n".join(step["run"] for job in jobs for step in job["steps"] if "run" in step)


def test_tests_panel_and_slicer_are_there():
    assert set(WORKFLOWS) >= {"tests", "panel", "slicer"}


def test_slicer_is_tested_on_three_systems():
    job = WORKFLOWS["slicer"]["jobs"]["self-test"]
    runners = {entry["runner"].split("-")[0] for entry in job["strategy"]["matrix"]["include"]}
    assert runners == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_make_has_the_targets(name):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", commands(WORKFLOWS[name]))) <= set(targets)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_files_and_folders_are_there(name):
    named = re.findall(r"\b((?:BrainSegAccel|Testing)/[\w/.]+)", commands(WORKFLOWS[name]))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_command_line_has_the_commands():
    from BrainSegAccelLib.cli.main import app

    named = set(re.findall(r"^brainsegaccel (\w+)", commands(WORKFLOWS["tests"]), re.MULTILINE))
    assert named
    assert named <= set(get_command(app).commands)


def test_unit_tests_of_slicer_can_be_found():
    run = commands(WORKFLOWS["slicer"])
    folders = re.search(r"runUnitTest\(\[([^]]+)\]", run)[1].replace("'", "").split(", ")
    names = re.search(r"for test in ([\w ]+);", run)[1].split()
    for name in names:
        (found,) = [
            ROOT / folder / f"{name}.py"
            for folder in folders
            if (ROOT / folder / f"{name}.py").is_file()
        ]
        assert "Test(" in found.read_text()


def test_stand_in_reads_the_variable_that_the_panel_workflow_sets():
    (job,) = WORKFLOWS["panel"]["jobs"].values()
    (variables,) = [step["env"] for step in job["steps"] if "env" in step]
    start = (ROOT / "Testing" / "slicer_standin" / "start.py").read_text()
    assert [name for name in variables if name not in start] == []
