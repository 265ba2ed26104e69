"""Python packages that the library needs and Slicer does not ship: told, asked for, installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import slicer.packaging
from slicer.i18n import tr as _

from ..resources import resource
from .questions import Questions

TORCH = ">=2.11"
"""PyTorch is optional; the PyTorch extension chooses the build that fits the graphics driver."""


class Packages:
    """What of ``Resources/requirements.txt`` is missing, and its installation.

    :param questions: asks before anything is installed.
    :param ensure: installs, in a window with progress; ``slicer.packaging.pip_ensure``.
    """

    def __init__(
        self, questions: Questions, ensure: Callable[..., Any] = slicer.packaging.pip_ensure
    ) -> None:
        self._questions = questions
        self._ensure = ensure

    def missing(self) -> list[str]:
        """Return the names of the packages that are not there, in the order of the file."""
        return [r.name for r in _requirements() if not slicer.packaging.pip_check(r)]

    def describe(self) -> str:
        """Return a sentence on what is missing and how large it is; empty if nothing is."""
        missing = self.missing()
        if not missing:
            return ""
        sizes = sizes_mb()
        total = sum(sizes[name] for name in missing)
        return _("Python packages are missing (about {size:.0f} MB): {names}.").format(
            size=total, names=", ".join(missing)
        )

    def install(self) -> bool:
        """Ask once, with sizes, and install what is missing; nothing that is there is replaced.

        :returns: whether everything is there now.
        """
        missing = self.missing()
        if not missing:
            return True
        sizes = sizes_mb()
        details = "\n".join(f"{name}: {sizes[name]:g} MB" for name in missing)
        question = self.describe() + " " + _("They go into Slicer's own Python. Install them now?")
        if not self._questions.install(question, details):
            return False
        self._ensure(
            [r for r in _requirements() if r.name in missing],
            prompt_install=False,
            requester="BrainSegAccel",
        )
        return not self.missing()


def installTorch() -> bool:
    """Install PyTorch with the PyTorch extension, which asks first.

    :returns: False if the extension itself is not installed.
    """
    try:
        import PyTorchUtils
    except ImportError:
        return False
    PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=True, torchVersionRequirement=TORCH
    )
    return True


def sizes_mb() -> dict[str, float]:
    """Return the size on disk of each package, as the comments in the file tell it."""
    text = resource("requirements.txt").read_text(encoding="utf-8")
    found = re.findall(r"^# ([\d.]+) MB:\n([\w-]+)", text, re.MULTILINE)
    return {name: float(size) for size, name in found}


def _requirements() -> list:
    return slicer.packaging.load_requirements(resource("requirements.txt"))
