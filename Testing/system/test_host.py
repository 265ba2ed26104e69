from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from BrainSegAccelLib.system.host import (
    child_environment,
    cpu_name,
    has_compiler,
    installed_version,
    usable_cores,
)


def test_a_child_imports_what_this_process_does() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, BrainSegAccelLib as it; print(it.__file__, os.environ['A'])",
        ],
        env=child_environment(A="b"),
        capture_output=True,
        text=True,
        check=True,
    )
    import BrainSegAccelLib

    assert done.stdout.split() == [BrainSegAccelLib.__file__, "b"]
    assert os.environ.get("A") != "b"


def test_the_compiler_that_is_named_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not has_compiler()
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    assert has_compiler()
    monkeypatch.setenv("CXX", "none-such")
    assert not has_compiler()


def test_the_machine_has_a_name_and_at_least_one_core() -> None:
    assert cpu_name()
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_versions_are_told_of_what_is_installed() -> None:
    assert installed_version("numpy")
    assert installed_version("no-such-distribution") is None
