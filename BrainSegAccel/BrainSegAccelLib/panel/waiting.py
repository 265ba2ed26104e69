"""A run for scripts: they wait for its end, and the window lives meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import InputError, RunError
from ..mrml.volumes import VolumeReader
from ..worker.messages import Progress
from .scene_run import Finished, SceneRequest, SceneRun, Stopped
from .tasks import Tasks

Tell = Callable[[Progress], None]
"""Is told how far a run is; what it raises cancels the run and is raised on."""


class _Outcome:
    """Listens to one run, and holds how it ended.

    An error that is raised within an event would go no further than the event loop.
    """

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self.end: Finished | Stopped | None = None
        self.error: BaseException | None = None

    @property
    def settled(self) -> bool:
        """Whether the run has ended, or has to."""
        return self.end is not None or self.error is not None

    def onProgress(self, progress: Progress) -> None:
        """Pass it on."""
        try:
            if self._tell is not None and self.error is None:
                self._tell(progress)
        except BaseException as error:  # Whatever it is, it is for whoever waits.
            self.error = error

    def onEnd(self, outcome: Finished | Stopped) -> None:
        """Note the end."""
        self.end = outcome


def runAndWait(
    request: SceneRequest, tasks: Tasks, reader: VolumeReader, tell: Tell | None = None
) -> Finished:
    """Do what a click on Apply does, and return when it is done.

    :param tell: what it raises before the result is written leaves the scene as it was.
    :raises InputError: unusable volumes or options; the scene is as it was.
    :raises RunError: the run failed, or the scene or the worker was closed meanwhile.
    """
    outcome = _Outcome(tell)
    run = SceneRun(request, tasks, reader, outcome)
    scene, closed = slicer.mrmlScene, RunError(_("the scene was closed"), where=_("run"))

    def onSceneCloses(*_event: object) -> None:
        outcome.error = outcome.error or closed
        run.abandon()

    tag = scene.AddObserver(scene.StartCloseEvent, onSceneCloses)
    try:
        while not outcome.settled and not tasks.closed:
            # The worker's timer ends each wait.
            slicer.app.processEvents(qt.QEventLoop.WaitForMoreEvents)
        if outcome.error is not None:
            raise outcome.error
    except BaseException:
        run.abandon()
        raise
    finally:
        scene.RemoveObserver(tag)
        outcome.error = None  # Its traceback leads here: together they would stay until a gc.
    if isinstance(outcome.end, Finished):
        return outcome.end
    stopped = outcome.end or Stopped(_("the background process was closed"))
    if stopped.log:
        logging.error("BrainSegAccel: %s", "\n".join([stopped.message, *stopped.log]))
    kind = InputError if stopped.unusableInput else RunError
    raise kind(stopped.message or _("cancelled"))
