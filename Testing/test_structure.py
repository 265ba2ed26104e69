"""How the library is cut: what no linter says of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("BrainSegAccel", "tools", "Testing/benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def test_no_file_is_long() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert len(lines) > 300
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_no_function_is_long() -> None:
    long = {
        f"{path.parent.name}/{path.stem}.{node.name}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }
    assert long == {}


def test_nobody_names_a_backend() -> None:
    """The registry finds the files that define ``BACKEND``: a new one is a new file."""
    grimp = pytest.importorskip("grimp", reason="comes with import-linter, in the dev extra")
    graph = grimp.build_graph("BrainSegAccelLib", cache_dir=None)
    folder = ROOT / "BrainSegAccel" / "BrainSegAccelLib" / "backends"
    named = [path.stem for path in folder.glob("*.py") if "\nBACKEND = " in path.read_text()]
    assert len(named) >= 6
    importers = {
        name: graph.find_modules_that_directly_import(f"BrainSegAccelLib.backends.{name}")
        - {"BrainSegAccelLib.cli.export"}
        for name in named
    }
    assert {name: found for name, found in importers.items() if found} == {}
