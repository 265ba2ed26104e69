"""What a manifest names an input by: the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes.

    Of a folder (a DICOM series): of the sorted digests of its files, so that neither file names
    nor their order count.
    """
    if path.is_dir():
        digests = sorted(sha256_of(file) for file in path.iterdir() if file.is_file())
        return hashlib.sha256("".join(digests).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
