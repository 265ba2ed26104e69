"""Checkouts of the project as processes, the label maps that they write, and runs that were kept.

Uses nothing of the library, which may be another in every checkout, but the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk

LABELS = "labels.json"
"""File of a kept run: its options, and the label maps with their hashes."""
GEOMETRY_MM = 1e-3
"""Corners of two grids that are no farther apart are the same: headers hold 32-bit numbers."""
SECONDS_TO_END = 30.0
_COMMAND = ("-m", "BrainSegAccelLib.cli.main", "segment")


class Failed(Exception):
    """A run that left no label map; the message is the last line that it printed."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A segmentation as it lies on disk.

    :param labels: (k, j, i).
    :param corners: patient coordinates of the eight corner voxels, LPS mm, (8, 3).
    """

    labels: np.ndarray
    corners: np.ndarray

    @property
    def digest(self) -> str:
        """SHA-256 of the shape and the labels as bytes, whatever type the file has them in."""
        content = hashlib.sha256(repr(self.labels.shape).encode())
        content.update(np.ascontiguousarray(self.labels, dtype=np.uint8).tobytes())
        return content.hexdigest()

    def record(self) -> dict[str, Any]:
        """Return the hash, and how many voxels have each label but 0."""
        values, counts = np.unique(self.labels[self.labels > 0], return_counts=True)
        voxels = {str(v): int(n) for v, n in zip(values, counts, strict=True)}
        return {"labels_sha256": self.digest, "voxels": voxels}


def read_label_map(path: Path) -> LabelMap:
    """Read what ``segment`` wrote."""
    image = sitk.ReadImage(str(path))
    ends = product(*((0, n - 1) for n in image.GetSize()))
    corners = [image.TransformIndexToPhysicalPoint(index) for index in ends]
    return LabelMap(sitk.GetArrayFromImage(image), np.array(corners))


@dataclass(frozen=True)
class Difference:
    """How two label maps differ.

    :param voxels: how many labels differ; None if the maps are of different shape.
    :param geometry_mm: the largest distance between the corners of the two grids.
    """

    voxels: int | None
    geometry_mm: float

    @property
    def none(self) -> bool:
        """Whether the maps are the same voxel for voxel, at the same place."""
        return self.voxels == 0 and self.geometry_mm <= GEOMETRY_MM


def difference(before: LabelMap, after: LabelMap) -> Difference:
    """Compare labels and geometry."""
    same_shape = before.labels.shape == after.labels.shape
    voxels = int(np.count_nonzero(before.labels != after.labels)) if same_shape else None
    apart = np.linalg.norm(before.corners - after.corners, axis=1).max()
    return Difference(voxels, float(apart))


class Side(Protocol):
    """Where label maps come from: a checkout, or a run that was kept."""

    def label_map(self, name: str, case: Path, options: str) -> LabelMap:
        """Return what the options give for a case.

        :raises Failed: there is none.
        """


@dataclass(frozen=True)
class Checkout:
    """A checkout whose command runs in processes of their own.

    :param root: folder that has ``BrainSegAccel/BrainSegAccelLib``.
    :param work: folder of what it writes.
    :param cache: folder of its engines.
    :param more_options: go after the options of every run.
    """

    root: Path
    work: Path
    cache: Path
    more_options: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which Python finds this checkout's library and no other."""
        return {
            **os.environ,
            "PYTHONPATH": str(self.root / "BrainSegAccel"),
            "PYTHONSAFEPATH": "1",  # Else the current folder would go before it.
            "BRAINSEGACCEL_CACHE": str(self.cache),
        }

    def check(self) -> None:
        """Make sure that it is this checkout's library that runs.

        :raises Failed: it is not.
        """
        code = "import BrainSegAccelLib; print(BrainSegAccelLib.__file__)"
        done = self._run(["-c", code])
        found = done.stdout.strip()
        if not Path(found).is_relative_to(self.root / "BrainSegAccel"):
            raise Failed(f"{self.root}: not a checkout, Python finds {found or 'no library'}")

    @property
    def commit(self) -> str | None:
        """Commit of the checkout, with ``-dirty`` if files were changed; None without git."""
        asked = ["git", "-C", str(self.root), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(asked, capture_output=True, text=True)
        return done.stdout.strip() or None

    def output(self, name: str, options: str) -> Path:
        """Return where the label map of a case goes; its manifest lies beside it."""
        return self.work / map_file(name, options)

    def arguments(self, name: str, case: Path, options: str) -> list[str]:
        """Return the arguments of ``segment`` for a case."""
        output = self.output(name, options)
        output.parent.mkdir(parents=True, exist_ok=True)
        chosen = shlex.split(options) + shlex.split(self.more_options)
        return [str(case), "--output", str(output), *chosen]

    def segment(self, name: str, case: Path, options: str) -> float:
        """Segment a case in a fresh process; returns the seconds from its start to its end.

        :raises Failed: the command failed.
        """
        started = time.perf_counter()
        self._run([*_COMMAND, *self.arguments(name, case, options)])
        return time.perf_counter() - started

    def label_map(self, name: str, case: Path, options: str) -> LabelMap:
        """See `Side`."""
        self.segment(name, case, options)
        return read_label_map(self.output(name, options))

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise Failed(_last_line(done.stderr) or f"exit code {done.returncode}")
        return done


class WarmCommand:
    """A process of a checkout that segments one case whenever it is told to.

    :raises Failed: by `segment`, if the command failed.
    """

    def __init__(self, checkout: Checkout, name: str, case: Path, options: str) -> None:
        self._arguments = ["segment", *checkout.arguments(name, case, options)]
        self._log = checkout.cache.with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm_command.py"))],
                env=checkout.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> WarmCommand:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(
                timeout=SECONDS_TO_END
            )  # Closes its input, with which it ends.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def segment(self) -> float:
        """Segment the case once more; returns the seconds that the command took."""
        told, answers = self._process.stdin, self._process.stdout
        assert told
        assert answers
        try:
            print(json.dumps(self._arguments), file=told, flush=True)
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        done = json.loads(answer or '{"code": "none, the process ended"}')
        if done["code"] != 0:
            raise Failed(_last_line(self._log.read_text()) or f"exit code {done['code']}")
        return done["seconds"]


@dataclass(frozen=True)
class KeptRun:
    """Label maps of an earlier run.

    :param folder: has `LABELS`, which names the options and the commit that was run.
    """

    folder: Path

    @property
    def options(self) -> list[str]:
        """The sets of options that were run."""
        return self._document["options"]

    @property
    def commit(self) -> str | None:
        """Commit that was run."""
        return self._document["commit"]

    def label_map(self, name: str, case: Path, options: str) -> LabelMap:
        """See `Side`."""
        path = self.folder / map_file(name, options)
        if not path.is_file():
            raise Failed(f"{path}: not kept")
        return read_label_map(path)

    @property
    def _document(self) -> dict[str, Any]:
        return json.loads((self.folder / LABELS).read_text())


def map_file(name: str, options: str) -> Path:
    """Return where a case's label map lies below the folder of a run."""
    return Path(re.sub(r"[^\w.]+", "-", options).strip("-") or "defaults", f"{name}.nii.gz")


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document beside its place and rename it."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(document, indent=2) + "\n")
    beside.replace(path)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
