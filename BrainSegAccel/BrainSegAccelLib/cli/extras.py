"""Commands that need an extra say so when it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UnavailableError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a failed import in the body into an error that names the extra.

    :raises UnavailableError: a package outside this library is missing.
    """
    try:
        yield
    except ImportError as error:
        missing = error.name or str(error)
        if missing.partition(".")[0] == __package__.partition(".")[0]:
            raise
        raise UnavailableError(
            f"this command needs the Python package {missing}",
            remedy=f"pip install 'brainsegaccel[{extra}]'",
        ) from error
