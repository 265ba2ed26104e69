"""Write the tracked tree of a commit as the one commit of a new repository, and check it.

    python tools/publish_tree.py ../SlicerBrainSegAccel
    python tools/publish_tree.py ../SlicerBrainSegAccel --commit v1.0 --message "BrainSegAccel 1.0"

The new repository holds the same tree under the same hash, by the author and of the date of that
commit, and nothing of the history, so the same commit gives the same repository. It is then cloned
as Slicer's Extensions Index clones it, and a line is printed for each rule of the Index
(``index_rules``). Exit code 0: all rules hold. 1: one does not. 2: nothing was written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from index_rules import Clone, Finding, check

NAME = "BrainSegAccel"
REPOSITORY = Path(__file__).resolve().parent.parent
BRANCH = "main"


class GitError(Exception):
    """Git did not do what it was asked for; the message is its own."""


def git(folder: Path, *arguments: str, given: bytes = b"", **environment: str) -> bytes:
    """Run git in a folder, whatever repository the caller stands in, and return what it prints.

    :raises GitError: it fails.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=False,
        capture_output=True,
        input=given,
        env=outside | environment,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        raise GitError(f"git {arguments[0]}: {said.splitlines()[-1]}")
    return done.stdout


def publish(repository: Path, commit: str, folder: Path, message: str) -> str:
    """Make ``folder`` a repository whose one commit holds the tree of a commit of another.

    :param folder: must not exist, or be empty.
    :returns: the new commit.
    :raises GitError: there is no such commit.
    """
    source = git(repository, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    source_id = source.decode().strip()
    tree = git(repository, "rev-parse", f"{source_id}^{{tree}}").decode().strip()
    by = git(repository, "show", "-s", "--format=%an%x00%ae%x00%aI", source_id).decode()
    author, address, date = by.rstrip("\n").split("\0")
    # The tree alone is the start of the walk, so that the pack holds no commit and nothing older.
    pack = git(repository, "pack-objects", "--revs", "--stdout", "-q", given=f"{tree}\n".encode())

    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", f"--initial-branch={BRANCH}")
    git(folder, "index-pack", "--stdin", given=pack)
    made = git(
        folder,
        *("commit-tree", tree, "-m", message or f"{NAME}, the tree of {source_id[:12]}"),
        **{f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{role}_EMAIL": address for role in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")},
    )
    new = made.decode().strip()
    git(folder, "update-ref", f"refs/heads/{BRANCH}", new)
    git(folder, "reset", "--quiet", "--hard", BRANCH)
    return new


def findings_of(repository: Path) -> list[Finding]:
    """Clone a repository as the Extensions Index does, and apply its rules.

    :raises GitError: it cannot be cloned.
    """
    with tempfile.TemporaryDirectory() as parent:
        git(Path(parent), "clone", "--quiet", repository.resolve().as_uri(), "clone")
        return check(Clone(Path(parent, "clone"), NAME))


def main() -> int:
    """Write, clone, check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the new repository: not there yet, or empty")
    parser.add_argument("--commit", default="HEAD", help="default: HEAD")
    parser.add_argument("--message", default="", help="of the new commit")
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help="default: this one")
    options = parser.parse_args()
    folder = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"{folder}: is there already: give a new or an empty folder", file=sys.stderr)
        return 2
    try:
        made = publish(options.repository, options.commit, folder, options.message)
        print(f"{folder}: one commit, {made[:12]}, on {BRANCH}")
        findings = findings_of(folder)
    except (GitError, OSError) as error:
        print(f"{options.commit}: cannot be published: {error}", file=sys.stderr)
        return 1 if folder.exists() else 2
    for finding in findings:
        print(f"{'ok  ' if finding.holds else 'FAIL'} {finding.rule}: {finding.detail}")
    print("not checked, since files do not show it: the topic 3d-slicer-extension, known patents")
    return 0 if all(finding.holds for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
