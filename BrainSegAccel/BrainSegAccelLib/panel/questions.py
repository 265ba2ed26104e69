"""What the panel asks the user, in windows that wait for the answer."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import qt
import slicer
from slicer.i18n import tr as _


class Overwrite(Enum):
    """What to do with a segmentation that the user made or changed."""

    REPLACE = "replace"
    NEW = "new"
    CANCEL = "cancel"


class Questions(Protocol):
    """Someone who answers."""

    def overwrite(self, name: str) -> Overwrite:
        """Ask whether a segmentation with the user's work in it may be replaced."""
        ...

    def discard(self, name: str) -> bool:
        """Ask whether the sliders may replace the user's work."""
        ...

    def install(self, text: str, details: str) -> bool:
        """Ask whether packages may be installed."""
        ...

    def saveAs(self, title: str, suggestion: str, filters: str) -> str:
        """Ask for the name of a file to write; empty if there is to be none."""
        ...

    def show(self, title: str, text: str) -> None:
        """Show a long text, e.g. a manifest or a log."""
        ...


class Windows:
    """Asks in message boxes and file dialogs."""

    def overwrite(self, name: str) -> Overwrite:
        """Ask; closing the window is no answer and changes nothing."""
        box = qt.QMessageBox(slicer.util.mainWindow())
        box.icon = qt.QMessageBox.Question
        box.windowTitle = _("Segmentation with edits")
        box.text = _("{name} holds segments that were not made by this run.").format(name=name)
        box.informativeText = _("Replacing them can be undone with the button Undo.")
        replace = box.addButton(_("Replace"), qt.QMessageBox.AcceptRole)
        new = box.addButton(_("Write to a new segmentation"), qt.QMessageBox.AcceptRole)
        box.addButton(qt.QMessageBox.Cancel)
        box.setDefaultButton(new)
        box.exec_()
        box.deleteLater()
        clicked = box.clickedButton()
        if clicked == replace:
            return Overwrite.REPLACE
        return Overwrite.NEW if clicked == new else Overwrite.CANCEL

    def discard(self, name: str) -> bool:
        """Ask with OK and Cancel."""
        text = _("{name} was edited. Replace the edits? Undo brings them back.").format(name=name)
        return slicer.util.confirmOkCancelDisplay(text, _("Segmentation with edits"))

    def install(self, text: str, details: str) -> bool:
        """Ask with OK and Cancel."""
        title = _("Install Python packages")
        return slicer.util.confirmOkCancelDisplay(text, title, detailedText=details)

    def saveAs(self, title: str, suggestion: str, filters: str) -> str:
        """Open a file dialog."""
        window = slicer.util.mainWindow()
        return qt.QFileDialog.getSaveFileName(window, title, suggestion, filters)

    def show(self, title: str, text: str) -> None:
        """Open a window with the text in it, to be read and copied."""
        window = qt.QDialog(slicer.util.mainWindow())
        window.windowTitle = title
        window.resize(720, 640)
        layout = qt.QVBoxLayout(window)
        page = qt.QPlainTextEdit(window)
        page.readOnly = True
        page.plainText = text
        page.lineWrapMode = qt.QPlainTextEdit.NoWrap
        layout.addWidget(page)
        buttons = qt.QDialogButtonBox(qt.QDialogButtonBox.Close, window)
        buttons.rejected.connect(window.reject)
        layout.addWidget(buttons)
        window.exec_()
        window.deleteLater()
