"""What can go wrong, as the user is told it: one line with what, where and what to do."""

from __future__ import annotations


class BrainSegAccelError(Exception):
    """Base of all errors that this library raises on purpose. The message is one line."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        """Compose ``where: what; remedy`` and keep it on one line.

        :param what: what is wrong, with the value that is wrong.
        :param where: the file, option or node it concerns.
        :param remedy: what the user can do.
        """
        parts = f"{where}: {what}" if where else what
        message = f"{parts}; {remedy}" if remedy else parts
        super().__init__(" ".join(message.split()))


class InputError(BrainSegAccelError):
    """Unusable argument or input: nothing was run, nothing was written (exit code 2)."""

    exit_code = 2


class UnavailableError(InputError):
    """A backend, precision or device that this machine cannot run (exit code 2)."""


class ModelError(BrainSegAccelError):
    """Weights, model card or export that cannot be trusted: wrong hash, keys, shapes or format."""


class RunError(BrainSegAccelError):
    """A run that failed although its input was usable (exit code 1)."""


def explain(error: Exception) -> str:
    """Return in one line what went wrong, for errors that nobody expected, too."""
    if isinstance(error, BrainSegAccelError):
        return str(error)
    if isinstance(error, ImportError):
        missing = f"the Python package {error.name or error} is missing or damaged"
        return str(UnavailableError(missing, remedy="install brainsegaccel again"))
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or use a larger machine"
    return " ".join(f"failed, {type(error).__name__}: {error}".split())
