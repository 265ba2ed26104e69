"""What a manifest names an input by: the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of(file: Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sha256_of_series(files: Iterable[Path]) -> str:
    """Return the digest of the sorted digests of a DICOM series' files.

    Neither file names nor their order count.
    """
    digests = sorted(sha256_of(file) for file in files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()
