"""What the user sees of a run: stage, share, time left, and how it ended."""

from __future__ import annotations

import logging
from typing import Any

from slicer.i18n import tr as _

from ..worker.messages import Progress
from .questions import Questions


def timeLeft(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 1.5:
        return _("about a second left")
    if seconds < 90:
        return _("about {seconds:.0f} s left").format(seconds=seconds)
    return _("about {minutes:.0f} min left").format(minutes=seconds / 60)


class RunDisplay:
    """Progress bar, stage and message.

    :param ui: has progressBar, stageLabel, messageLabel and logButton.
    """

    def __init__(self, ui: Any, questions: Questions) -> None:
        self._ui = ui
        self._questions = questions
        self._log: tuple[str, ...] = ()
        self._prefix = ""
        ui.logButton.clicked.connect(self._showLog)
        self.say("")
        self._setRunning(False)

    def begin(self, prefix: str = "") -> None:
        """Show that something runs.

        :param prefix: ahead of every stage, e.g. which of several studies it is.
        """
        self._prefix = prefix
        self.say("")
        self._ui.progressBar.maximum = 0
        self._ui.stageLabel.text = prefix
        self._setRunning(True)

    def show(self, progress: Progress) -> None:
        """Show stage, share of the whole run and time left, as far as they are known."""
        parts = [self._prefix, progress.stage.capitalize()]
        if progress.fraction is None:
            self._ui.progressBar.maximum = 0
        else:
            self._ui.progressBar.maximum = 1000
            self._ui.progressBar.value = round(1000 * progress.fraction)
        if progress.seconds_left is not None:
            parts.append(timeLeft(progress.seconds_left))
        self._ui.stageLabel.text = " · ".join(filter(None, parts))

    def end(self) -> None:
        """Show that nothing runs any more."""
        self._setRunning(False)

    def say(self, message: str, *, error: bool = False, log: tuple[str, ...] = ()) -> None:
        """Show a message until the next one.

        :param log: last lines of the worker, shown when the user asks for them.
        """
        self._log = log
        self._ui.messageLabel.text = message
        self._ui.messageLabel.styleSheet = "color: #b00020" if error else ""
        self._ui.messageLabel.visible = bool(message)
        self._ui.logButton.visible = bool(log)
        if error:
            logging.error("BrainSegAccel: %s", "\n".join([message, *log]))

    def _setRunning(self, running: bool) -> None:
        self._ui.progressBar.visible = running
        self._ui.stageLabel.visible = running
        self._ui.cancelButton.enabled = running

    def _showLog(self) -> None:
        self._questions.show(_("Last lines of the background process"), "\n".join(self._log))
