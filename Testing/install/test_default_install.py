"""The default install, as pyproject.toml declares it, does the main job without PyTorch.

The environment is real but costs no download: a folder of links to exactly those installed
distributions that the default dependencies ask for, and an interpreter that sees nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "BrainSegAccel"
NOT_IN_IT = ("torch", "monai", "onnx", "nilearn", "scipy", "vtk", "slicer")


def closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of all distributions that requirements bring in, without extras."""
    found: set[str] = set()
    waiting = [(Requirement(text), frozenset[str]()) for text in requirements]
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            continue
        name = requirement.name.lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for text in distribution(name).requires or []:
            waiting.append((Requirement(text), frozenset(requirement.extras)))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site folder that holds the default install and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in closure(project["dependencies"]):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            target = Path(str(distribution(name).locate_file(top)))
            link = folder / top
            if not link.exists():
                link.symlink_to(target)
    return folder


def run(site: Path, code: str, *arguments: str, **kwargs: object) -> subprocess.CompletedProcess:
    """Run code in an interpreter that sees the standard library, the library and the site."""
    start = f"import sys; sys.path += [{str(LIBRARY)!r}, {str(site)!r}]; "
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        **kwargs,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("name", NOT_IN_IT)
def test_it_is_an_environment_without(site: Path, name: str) -> None:
    result = run(site, f"import {name}")
    assert result.returncode == 1
    assert f"No module named '{name}'" in result.stderr


def test_segment_runs_in_it(site: Path, tmp_path: Path) -> None:
    case = LIBRARY / "Resources" / "SampleData" / "phantom"
    output = tmp_path / "out.seg.nrrd"
    result = run(
        site,
        "from BrainSegAccelLib.cli.main import main; sys.exit(main())",
        *("segment", str(case), "--output", str(output), "--backend", "openvino"),
        env={"BRAINSEGACCEL_CACHE": str(tmp_path / "cache"), "PATH": ""},
    )
    assert result.returncode == 0, result.stderr
    assert output.stat().st_size > 0
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert manifest["runtime"]["backend"] == "openvino"


def test_what_needs_pytorch_says_how_to_get_it(site: Path, tmp_path: Path) -> None:
    result = run(
        site,
        "from BrainSegAccelLib.cli.main import main; sys.exit(main())",
        *("segment", str(LIBRARY / "Resources" / "SampleData" / "phantom")),
        *("--output", str(tmp_path / "out.nii.gz"), "--backend", "eager"),
    )
    assert result.returncode == 2
    assert "brainsegaccel[torch]" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
