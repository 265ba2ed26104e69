"""The panel of a scripted module, open in a window of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from application import module


def register(path: Path) -> None:
    """Let ``slicer.modules`` know a scripted module, as Slicer does when it finds its file."""
    setattr(slicer.modules, path.stem.lower(), module(path.stem, path=str(path)))


def live_until(true: Callable[[], bool], seconds: float = 300.0) -> None:
    """Let the event loop run until something is true.

    :raises TimeoutError: it did not become true.
    """
    end = time.monotonic() + seconds
    # Sleeps as an application does, until something happens; at the latest to look at the clock.
    clock = qt.QTimer()
    clock.interval = 10
    clock.start()
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened in {seconds:.0f} s")
        qt.QCoreApplication.processEvents(qt.QEventLoop.WaitForMoreEvents)
    clock.stop()
    slicer.app.processEvents()


class ModuleWindow:
    """A module's widget, set up and entered, in the place where Slicer shows module panels.

    :param make: makes the module's widget; gets the parent.
    """

    def __init__(self, make: Callable) -> None:
        self.parent = slicer.qMRMLWidget()
        self.parent.setLayout(qt.QVBoxLayout())
        self.parent.setMRMLScene(slicer.mrmlScene)
        self.parent.isEntered = True
        self.widget = make(self.parent)
        self.widget.setup()
        self.widget.enter()
        self.parent.show()

    def close(self) -> None:
        """Let the module clean up; its selectors let go of the scene."""
        self.widget.cleanup()
        for widget in self.parent.findChildren(slicer.qMRMLWidget):
            widget.setMRMLScene(None)
        self.parent.close()
        self.parent.deleteLater()
