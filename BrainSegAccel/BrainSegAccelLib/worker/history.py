"""How long the stages of a task took before, kept for the next one's time left."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import BrainSegAccelError
from ..io.atomic import atomic_write

Stages = tuple[tuple[str, float], ...]
"""Names and seconds, in order."""

_REMEMBERED = 64
_ENTRIES = TypeAdapter(dict[str, Stages])


class History:
    """The stages of the last task of each kind, in a file.

    :param folder: where the file lies; one that cannot be read or written is as good as none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "stages.json"

    def recall(self, *kinds: str) -> Stages | None:
        """Return the stages of the last task of the first kind of which there was one, or None."""
        entries = self._read()
        return next((entries[kind] for kind in kinds if kind in entries), None)

    def remember(self, kind: str, stages: Stages) -> None:
        """Keep the stages of a task, and of the latest others."""
        entries = self._read()
        entries.pop(kind, None)
        entries[kind] = tuple((name, round(seconds, 4)) for name, seconds in stages)
        latest = dict(list(entries.items())[-_REMEMBERED:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as beside:
                beside.write_text(json.dumps(latest, indent=1), encoding="utf-8")
        except (OSError, BrainSegAccelError):
            pass  # The next task shows no time left; nothing else is lost.

    def _read(self) -> dict[str, Stages]:
        try:
            return _ENTRIES.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}
