"""What the selected model says, for what the panel offers before anything has run."""

from __future__ import annotations

from functools import lru_cache

from ..errors import BrainSegAccelError
from ..models.description import Outputs
from ..models.package import load_package


def outputsOf(model: str) -> Outputs | None:
    """Return the outputs of a model; None if its card cannot be read, which a run would say.

    :param model: name of a shipped model, or path of a model card or its folder.
    """
    try:
        return _read(model) if model else None
    except BrainSegAccelError:
        return None


@lru_cache(maxsize=16)
def _read(model: str) -> Outputs:
    return load_package(model).card.outputs
