"""What `pip install` puts on a machine: the library with models, sample case and schema in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESOURCES = ROOT / "BrainSegAccel" / "Resources"
CARRIED = ("Models", "SampleData", "Schemas", "Terminologies")


def test_an_installed_wheel_segments_nothing_less_than_a_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    package = tmp_path / "site" / "BrainSegAccelLib"
    for path in (p for name in CARRIED for p in (RESOURCES / name).rglob("*") if p.is_file()):
        installed = package / "Resources" / path.relative_to(RESOURCES)
        assert installed.read_bytes() == path.read_bytes()
    library = ROOT / "BrainSegAccel" / "BrainSegAccelLib"
    sources = {p.relative_to(library) for p in library.rglob("*.py")}
    assert sources == {p.relative_to(package) for p in package.rglob("*.py")}
    code = (
        "from pathlib import Path;"
        "from BrainSegAccelLib.models.package import load_package;"
        "from BrainSegAccelLib.resources import resource;"
        "load_package().onnx().whole();"
        "assert resource('SampleData').resolve().is_relative_to(Path.cwd().resolve())"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "site", check=True)
