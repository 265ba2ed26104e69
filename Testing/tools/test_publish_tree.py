"""A commit's tree as a repository of its own, and the Extensions Index's rules for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from index_rules import LARGEST_MIB, RULES, Clone, check
from publish_tree import NAME, git

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "publish_tree.py"
HOME = "https://github.com/someone/SlicerBrainSegAccel"
RAW = "https://raw.githubusercontent.com/someone/SlicerBrainSegAccel/main"
ENTRY = {
    "$schema": "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/"
    "slicer-extension-catalog-entry-schema-v1.0.1.json#",
    "build_dependencies": ["PyTorch"],
    "category": "Segmentation",
    "scm_revision": "main",
    "scm_url": f"{HOME}.git",
    "tier": 1,
}
CMAKE = f"""
project({NAME})
set(EXTENSION_HOMEPAGE "{HOME}")
set(EXTENSION_DESCRIPTION "Brain tumour segmentation. Research software.")
set(EXTENSION_ICONURL "{RAW}/icon.png")
set(EXTENSION_SCREENSHOTURLS "{RAW}/docs/one.png {RAW}/docs/two.jpg")
set(EXTENSION_DEPENDS "PyTorch")
"""
PNG = b"\x89PNG\r\n\x1a\n\0"


def entry_text(**changed: object) -> str:
    return json.dumps(ENTRY | changed, indent=2) + "\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of an extension that the Index takes, and of git what the rules look at."""
    folder = tmp_path / "extension"
    (folder / "docs").mkdir(parents=True)
    (folder / f"{NAME}.json").write_text(entry_text())
    (folder / "CMakeLists.txt").write_text(CMAKE)
    (folder / "LICENSE").write_text("Apache License\n")
    (folder / "README.md").write_text(f"# {NAME}\n\n![A case](docs/one.png)\n\nApache 2.0.\n")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "icon.png").write_bytes(PNG)
    (folder / "docs" / "one.png").write_bytes(PNG)
    (folder / "docs" / "two.jpg").write_bytes(b"\xff\xd8\xff\0")
    (folder / "run.sh").write_text("true\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


@pytest.fixture
def extension(clone: Path) -> Path:
    """The same as a repository with two commits, of which the first holds a larger file."""
    folder = clone
    (folder / ".git" / "HEAD").unlink()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "old.bin").write_bytes(os.urandom(100_000))
    commit(folder, "First")
    (folder / "old.bin").unlink()
    commit(folder, "Second")
    return folder


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    person = ("-c", "user.name=An Author", "-c", "user.email=author@example.org")
    git(folder, *person, "commit", "--quiet", "-m", message)


def publish(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_new_repository_has_the_same_tree_in_one_commit_and_nothing_older(
    extension: Path, tmp_path: Path
) -> None:
    (extension / "untracked.txt").write_text("not to be published\n")
    new = tmp_path / "new"
    done = publish(new, "--repository", extension, "--message", "Version 1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line[:4] for line in done.stdout.splitlines()[1:-1]] == ["ok  "] * len(RULES)
    said = git(new, "log", "--format=%s, %an, %ae").decode().splitlines()
    assert said == ["Version 1, An Author, author@example.org"]
    tree = "HEAD^{tree}"
    assert git(new, "rev-parse", tree) == git(extension, "rev-parse", tree)
    assert git(new, "status", "--porcelain") == b""
    assert os.access(new / "run.sh", os.X_OK)
    assert sum(path.stat().st_size for path in new.rglob("*.pack")) < 10_000


def test_the_same_commit_gives_the_same_repository(extension: Path, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        assert publish(tmp_path / name, "--repository", extension).returncode == 0
        made.append(git(tmp_path / name, "rev-parse", "main"))
    assert made[0] == made[1]


def test_an_earlier_commit_is_published_as_it_was(extension: Path, tmp_path: Path) -> None:
    publish(tmp_path / "new", "--repository", extension, "--commit", "HEAD~1")
    assert (tmp_path / "new" / "old.bin").stat().st_size == 100_000


@pytest.mark.parametrize("commit", ["no-such-branch", "HEAD^{tree}", "--all"])
def test_what_is_no_commit_is_refused(extension: Path, tmp_path: Path, commit: str) -> None:
    new = tmp_path / "new"
    done = publish(new, "--repository", extension, f"--commit={commit}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(commit)
    assert not new.exists()


def test_a_folder_that_holds_something_is_left_alone(extension: Path) -> None:
    done = publish(extension / "docs", "--repository", extension)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in (extension / "docs").iterdir()) == ["one.png", "two.jpg"]


def test_a_broken_rule_is_told_and_ends_with_1(extension: Path, tmp_path: Path) -> None:
    (extension / "LICENSE").unlink()
    commit(extension, "No licence")
    done = publish(tmp_path / "new", "--repository", extension)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL licence: ")


def rewrite(file: str, old: str, new: str) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    return apply


def entry(**changed: object) -> Callable[[Path], object]:
    return lambda folder: (folder / f"{NAME}.json").write_text(entry_text(**changed))


def large_file(folder: Path) -> None:
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(LARGEST_MIB * 2**20)


DAMAGES = {
    "size": [large_file],
    "licence": [
        lambda folder: (folder / "LICENSE").unlink(),
        rewrite("LICENSE", "Apache", "All rights reserved"),
        rewrite("README.md", "Apache", "Some licence"),
    ],
    "entry": [entry(**{"$schema": "https://example.org/schema.json"})],
    "entry format": [
        lambda folder: (folder / f"{NAME}.json").write_text(json.dumps(ENTRY)),
        rewrite(f"{NAME}.json", '"tier": 1\n}\n', '"tier": 1\n}'),
    ],
    "line ends": [lambda folder: (folder / "run.sh").write_bytes(b"true\r\n")],
    "name": [rewrite("CMakeLists.txt", f"project({NAME})", "project(Another)")],
    "repository": [entry(scm_url=f"git@github.com:{HOME}.git")],
    "revision": [lambda folder: (folder / ".git/HEAD").write_text("ref: refs/heads/other\n")],
    "category": [entry(category="Segmenting")],
    "dependencies": [entry(build_dependencies=["PyTorch", "NNUNet"])],
    "description": [
        rewrite("CMakeLists.txt", "Research software.", "One. Two. Three."),
        rewrite("CMakeLists.txt", f'HOMEPAGE "{HOME}', 'HOMEPAGE "https://example.org'),
    ],
    "home page": [
        rewrite("README.md", NAME, "Title"),
        rewrite("README.md", "![A case](docs/one.png)", ""),
        rewrite("README.md", "one.png", "none.png"),
    ],
    "icon": [
        rewrite("CMakeLists.txt", "icon.png", "README.md"),
        rewrite("CMakeLists.txt", "icon.png", "none.png"),
        rewrite("CMakeLists.txt", "icon.png", "../other.png"),
        lambda folder: (folder / "icon.png").write_bytes(b"<svg/>"),
        rewrite("CMakeLists.txt", "set(EXTENSION_ICONURL", "set(EXTENSION_OTHER"),
        rewrite("CMakeLists.txt", f"{RAW}/icon.png", f"{HOME}/blob/main/icon.png"),
    ],
    "screenshots": [
        rewrite("CMakeLists.txt", f"{RAW}/docs/one.png {RAW}/docs/two.jpg", " "),
        rewrite("CMakeLists.txt", "docs/two.jpg", "docs/three.jpg"),
    ],
}
"""What breaks each rule; the rules that follow from others are left to those."""


def broken(folder: Path) -> set[str]:
    return {finding.rule for finding in check(Clone(folder, NAME)) if not finding.holds}


def test_every_rule_is_broken_by_some_damage() -> None:
    assert [rule.__name__.replace("_", " ") for rule in RULES] == list(DAMAGES)


@pytest.mark.parametrize(
    ("rule", "number"), [(rule, n) for rule, some in DAMAGES.items() for n in range(len(some))]
)
def test_a_damage_breaks_its_rule(clone: Path, rule: str, number: int) -> None:
    assert broken(clone) == set()
    DAMAGES[rule][number](clone)
    assert rule in broken(clone)
    # An entry that says another thing than CMake breaks what compares the two as well.
    assert rule in ("repository", "entry") or broken(clone) == {rule}


@pytest.mark.parametrize(
    "entry", [b"{", b"[]", b"\xff", entry_text(tier=2).encode(), entry_text(extra=1).encode()]
)
def test_an_entry_that_its_schema_refuses_is_told_in_one_line(clone: Path, entry: bytes) -> None:
    (clone / f"{NAME}.json").write_bytes(entry)
    found = {finding.rule: finding for finding in check(Clone(clone, NAME))}
    assert not found["entry"].holds
    assert found["entry"].detail.startswith(f"{NAME}.json: ")
    assert "\n" not in found["entry"].detail
    assert found["size"].holds


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone of the repository")
def test_this_repository_can_be_submitted(tmp_path: Path) -> None:
    done = publish(tmp_path / "new")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    spare = re.search(r"of 100 MiB with its history, ([\d.]+) to spare", done.stdout)
    assert spare is not None
    assert float(spare[1]) >= 30
