"""Python packages: looks at what is installed for real, and installs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import slicer
from packaging.requirements import Requirement


def load_requirements(path: str | Path) -> list[Requirement]:
    """Read a requirements file; comments and options are skipped."""
    lines = [line.strip() for line in Path(path).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def pip_check(req: str | Requirement | Sequence[str | Requirement]) -> bool:
    """Tell whether requirements are installed."""
    return all(_installed(r) for r in (req if isinstance(req, list) else [req]))


def _installed(requirement: str | Requirement) -> bool:
    wanted = Requirement(str(requirement))
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def pip_ensure(
    requirements: str | Requirement | Sequence[str | Requirement],
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Ask for what is missing.

    :raises RuntimeError: the user declines, or agrees: nothing can be installed here.
    """
    wanted = requirements if isinstance(requirements, list) else [requirements]
    missing = [str(r) for r in wanted if not pip_check(r)]
    if not missing or (skip_in_testing and slicer.app.testingEnabled()):
        return None
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
        f"{len(missing)} Python packages need to be installed.", requester
    ):
        raise RuntimeError("User declined package installation")
    raise RuntimeError(f"the stand-in installs nothing: {', '.join(missing)}")
