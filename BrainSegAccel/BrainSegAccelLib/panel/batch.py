"""All studies of the scene, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import qt
import slicer
from slicer import vtkMRMLTableNode
from slicer.i18n import tr as _

from ..manifest.model import OutputRecord
from ..mrml.studies import SceneStudy, studies_in_scene
from ..mrml.tables import fill_table
from ..mrml.volumes import VolumeReader
from ..worker.messages import Progress
from .inputs import seriesDescription
from .scene_run import Finished, SceneRequest, SceneRun, Stopped
from .tasks import Tasks


@dataclass(eq=False)
class _Entry:
    """A study and what became of it."""

    study: SceneStudy
    outcome: str = ""
    result: OutputRecord | None = None
    seconds: float = 0.0

    @property
    def modalities(self) -> str:
        return ", ".join(modality.label for modality in self.study.volumes)


class Batch:
    """Runs through the studies; one that fails is recorded, and the rest goes on.

    :param ui: has batchView, a table widget.
    :param ended: called when nothing is left to do, with a sentence on how it went.
    """

    def __init__(
        self,
        ui: Any,
        tasks: Tasks,
        reader: VolumeReader,
        progress: Callable[[str, Progress], None],
        finished: Callable[[Finished], None],
        ended: Callable[[str], None],
    ) -> None:
        self._view = ui.batchView
        self._tasks, self._reader = tasks, reader
        self._progress = progress
        self._finished = finished
        self._ended = ended
        self._entries: list[_Entry] = []
        self._left: list[_Entry] = []
        self._current: _Entry
        self._pattern: SceneRequest
        self._run: SceneRun | None = None
        self._table: vtkMRMLTableNode | None = None
        self._view.setColumnCount(3)
        self._view.setHorizontalHeaderLabels([_("Study"), _("Volumes"), _("Result")])
        self._view.horizontalHeader().setStretchLastSection(True)

    def find(self) -> int:
        """List the studies of the scene that can be segmented; returns how many there are."""
        studies = studies_in_scene(slicer.mrmlScene, seriesDescription)
        self._entries = [_Entry(study) for study in studies if study.volumes]
        self._show()
        return len(self._entries)

    def start(self, table: vtkMRMLTableNode, pattern: SceneRequest) -> None:
        """Segment every study that is listed, each into a new segmentation.

        :param table: receives the summary, a row for each study.
        :param pattern: how; its volumes, output and brain mask do not count.
        """
        self._table, self._pattern = table, pattern
        self._left = list(self._entries)
        self._next()

    def cancel(self) -> None:
        """Stop; what is done stays."""
        self._left.clear()
        if self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Stop without an answer, e.g. because the scene is being closed."""
        self._left.clear()
        self._entries.clear()
        self._show()
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def onProgress(self, progress: Progress) -> None:
        """Pass on how the current study gets on."""
        number = self._entries.index(self._current) + 1
        prefix = _("{number} of {count}").format(number=number, count=len(self._entries))
        self._progress(prefix, progress)

    def onEnd(self, outcome: Finished | Stopped) -> None:
        """Record the current study and go on with the next."""
        entry, self._run = self._current, None
        if isinstance(outcome, Finished):
            entry.result = outcome.manifest.outputs[0]
            entry.seconds = outcome.manifest.latency.total_ms / 1000
            entry.outcome = _("done")
            self._finished(outcome)
        else:
            entry.outcome = outcome.message or _("cancelled")
            if not outcome.message:
                self._left.clear()
        self._show()
        self._next()

    def _next(self) -> None:
        self._summarise()
        if not self._left:
            done = sum(entry.result is not None for entry in self._entries)
            failed = sum(bool(e.outcome) and e.result is None for e in self._entries)
            self._ended(
                _("{done} of {count} studies segmented, {failed} without a result.").format(
                    done=done, count=len(self._entries), failed=failed
                )
            )
            return
        self._current = entry = self._left.pop(0)
        entry.outcome = _("running")
        self._show()
        request = replace(self._pattern, volumes=entry.study.volumes, output=None, brainMask=None)
        self._run = SceneRun(request, self._tasks, self._reader, self)

    def _show(self) -> None:
        self._view.setRowCount(len(self._entries))
        for row, entry in enumerate(self._entries):
            texts = (entry.study.name, entry.modalities, entry.outcome)
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._view.setItem(row, column, item)

    def _summarise(self) -> None:
        if self._table is None or self._table.GetScene() is None:
            return
        done = [entry for entry in self._entries if entry.outcome]
        columns: dict[str, list] = {
            "study": [entry.study.name for entry in done],
            "volumes": [entry.modalities for entry in done],
            "result": [entry.outcome for entry in done],
        }
        results = [entry.result for entry in done]
        # All studies of a batch go through one model; the largest region comes first.
        regions = next((result.regions for result in results if result), {})
        for identifier, region in reversed(regions.items()):
            columns[f"{region.name} ml"] = [
                f"{result.volumes_ml[identifier]:.3f}" if result else "" for result in results
            ]
        columns["seconds"] = [f"{e.seconds:.1f}" if e.result else "" for e in done]
        fill_table(self._table, columns)
