from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from matplotlib.image import imread
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "BrainSegAccel"
SHIPPED_WITH_SLICER = {"numpy", "simpleitk", "pydicom"}
COMMAND_LINE_ONLY = {"typer", "rich", "matplotlib"}


@pytest.mark.parametrize("name", ["MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"])
def test_cmake_lists_every_file_of_the_module(name):
    tool = runpy.run_path(str(ROOT / "tools" / "list_packaged_files.py"))
    listed, there = tool["listed_files"]()[name], tool["packaged_files"]()[name]
    assert listed == there, "run: python tools/list_packaged_files.py"


def requirements() -> dict[str, Requirement]:
    lines = (MODULE / "Resources" / "requirements.txt").read_text().splitlines()
    parsed = [Requirement(line) for line in lines if not line.startswith("#")]
    return {requirement.name.lower(): requirement for requirement in parsed}


def test_requirements_are_the_library_s_without_what_slicer_has():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    default = {Requirement(d).name.lower() for d in project["dependencies"]}
    assert set(requirements()) == default - SHIPPED_WITH_SLICER - COMMAND_LINE_ONLY


def test_requirements_never_pin_and_agree_with_the_library():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = {
        Requirement(d).name.lower(): next(
            s.version for s in Requirement(d).specifier if s.operator == ">="
        )
        for d in project["dependencies"]
    }
    for name, requirement in requirements().items():
        (specifier,) = requirement.specifier
        assert (specifier.operator, specifier.version) == (">=", lowest[name])


def test_catalogue_entry():
    entry = json.loads((ROOT / "BrainSegAccel.json").read_text())
    assert entry["$schema"].startswith("https://raw.githubusercontent.com/Slicer/Slicer/main/")
    assert entry["category"] == "Segmentation"
    cmake = (ROOT / "CMakeLists.txt").read_text()
    dependencies = " ".join(entry["build_dependencies"])
    assert f'set(EXTENSION_DEPENDS "{dependencies}")' in cmake
    assert f'set(EXTENSION_HOMEPAGE "{entry["scm_url"].removesuffix(".git")}")' in cmake


def test_screenshots_are_there_to_be_seen():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    (urls,) = re.findall(r'EXTENSION_SCREENSHOTURLS "(.+)"', cmake)
    home = "https://raw.githubusercontent.com/BrainSegAccel/SlicerBrainSegAccel/main/"
    for url in urls.split():
        assert imread(ROOT / url.removeprefix(home)).size


def test_user_guide_shows_pictures_that_are_there():
    guide = (ROOT / "docs" / "user-guide.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", guide)
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", guide)
    assert len(pictures) >= 5
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []


def test_icons():
    icons = [ROOT / "Resources" / "BrainSegAccel.png", MODULE / "Resources/Icons/BrainSegAccel.png"]
    assert icons[0].read_bytes() == icons[1].read_bytes()
    assert imread(icons[0]).shape == (128, 128, 4)
    drawn = runpy.run_path(str(ROOT / "tools" / "draw_icon.py"))["draw"]()
    assert abs(drawn - imread(icons[0])).max() < 2 / 255
