"""Where the files that ship with the library lie."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "full"
"""The shipped model that runs unless another is asked for."""


def resource(*parts: str) -> Path:
    """Return the path of a shipped resource, e.g. ``resource("Models", "fast.card.json")``.

    In a source checkout and inside Slicer, ``Resources`` lies beside the library; an installed
    wheel carries it inside the package.
    """
    package = Path(__file__).resolve().parent
    beside = package.parent / "Resources"
    return (beside if beside.is_dir() else package / "Resources").joinpath(*parts)
