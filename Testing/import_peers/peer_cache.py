"""Makes the artefacts of a script in this folder once, and keeps them.

The folder is that of the environment variable BRAINSEGACCEL_PEERS, else one that is handed in (the
cache of pytest). A set has the digest of all that decides it in its name, so that a change of a
script here, or of a package, makes another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent


def artefacts(script: str, packages: Sequence[str], folder: Path) -> Path:
    """The folder of what ``script`` leaves, made now if it is not there.

    Raises ``subprocess.CalledProcessError`` where the script fails; its output is in `log.txt`.
    """
    place = Path(os.environ.get("BRAINSEGACCEL_PEERS", folder))
    place.mkdir(parents=True, exist_ok=True)
    made = place / f"{Path(script).stem}-{_digest(packages)}"
    if made.exists():
        return made
    beside = place / f".{made.name}.{os.getpid()}"
    beside.mkdir()
    with (beside / "log.txt").open("w") as log:
        subprocess.run(
            [sys.executable, str(HERE / script), str(beside)],
            check=True,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_one_thread()},
        )
    try:
        beside.rename(made)
    except OSError:  # Another process was quicker.
        shutil.rmtree(beside)
    return made


def _digest(packages: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for file in sorted(HERE.glob("*.py")):
        digest.update(file.read_bytes())
    for package in packages:
        digest.update(f"{package} {version(package)}".encode())
    return digest.hexdigest()[:16]


def _one_thread() -> dict[str, str]:
    """Networks as small as these lose by threads, and by giving memory back between windows."""
    return {
        "OMP_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    }
